// Which streams the list shows, and in which order.

export type Order = "viewers" | "newest" | "name";

export type Line = { name: string; public_id: string; state: string; viewers: number; started_at?: string | null };

/** The streams in which every word that is looked for occurs, in their order. */
export function listed<One extends Line>(streams: readonly One[], looked: string, order: Order, language: string): One[] {
  const words = looked.toLowerCase().split(/\s+/).filter(Boolean);
  const found = streams.filter((one) => {
    const text = `${one.name} ${one.public_id}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return found.sort((a, b) => before(a, b, order) || a.name.localeCompare(b.name, language, { numeric: true }) || (a.public_id < b.public_id ? -1 : 1));
}

function before(a: Line, b: Line, order: Order): number {
  if (order === "viewers") return b.viewers - a.viewers;
  if (order === "newest") return (b.started_at ?? "").localeCompare(a.started_at ?? "");
  return 0;
}
