// Что стоит на каждой странице.

import { counted } from "../../rules/plural.ts";
import type { shell as english } from "../en/shell.ts";

const n = (count: number, one: string, few: string, many: string) => counted("ru", count, { one, few, many, other: few });

export const shell: typeof english = {
  toContent: "К содержанию",
  live: "Эфир",
  goLive: "Выйти в эфир",
  console: "Пульт",
  sites: "Страницы",
  language: "Язык",
  themeSystem: "Тема: как в системе",
  themeLight: "Тема: светлая",
  themeDark: "Тема: тёмная",
  copy: "Скопировать",
  copied: "Скопировано",
  second: "с",
  viewers: (count: number) => n(count, "зритель", "зрителя", "зрителей"),
  unreachable: "Сервер не отвечает. Пробуем ещё.",
  failed: "Не получилось.",
};
