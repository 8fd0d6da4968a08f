// Numbers with the right form of the word behind them.

export type Forms = { one: string; few?: string; many?: string; other: string };

const rules = new Map<string, Intl.PluralRules>();

/** `5 viewers`: the number as the language writes it, and the form that goes with it. */
export function counted(tag: string, n: number, forms: Forms): string {
  return `${n.toLocaleString(tag)} ${formOf(tag, n, forms)}`;
}

export function formOf(tag: string, n: number, forms: Forms): string {
  let rule = rules.get(tag);
  if (rule === undefined) rules.set(tag, (rule = new Intl.PluralRules(tag)));
  return forms[rule.select(n) as keyof Forms] ?? forms.other;
}
