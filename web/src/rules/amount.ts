// Amounts as people read them: three digits, and the unit that fits.

const BITS = ["kb/s", "Mb/s", "Gb/s"];
const BYTES = ["KB", "MB", "GB", "TB"];

/** `2.4 Mb/s`. */
export const bitrate = (tag: string, bitsPerSecond: number): string => scaled(tag, bitsPerSecond, BITS);
/** `1.2 GB`. */
export const bytes = (tag: string, amount: number): string => scaled(tag, amount, BYTES);
/** `62 %`. */
export const percent = (tag: string, value: number): string => `${Math.round(value).toLocaleString(tag)} %`;

function scaled(tag: string, amount: number, units: readonly string[]): string {
  let value = Math.max(0, amount) / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = value >= 100 || (unit === 0 && (value >= 10 || value < 0.05)) ? 0 : 1;
  const text = value.toLocaleString(tag, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text} ${UNITS_RU[tag]?.[units[unit] ?? ""] ?? units[unit]}`;
}

const UNITS_RU: Record<string, Record<string, string>> = {
  ru: { "kb/s": "кбит/с", "Mb/s": "Мбит/с", "Gb/s": "Гбит/с", KB: "КБ", MB: "МБ", GB: "ГБ", TB: "ТБ" },
};
