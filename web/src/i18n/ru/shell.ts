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
  lasting: ({ days, hours, minutes }) => {
    if (days > 0) return hours > 0 ? `${days} д ${hours} ч` : `${days} д`;
    if (hours > 0) return minutes > 0 ? `${hours} ч ${minutes} мин` : `${hours} ч`;
    return `${Math.max(1, minutes)} мин`;
  },
  unreachable: "Сервер не отвечает. Пробуем ещё.",
  failed: "Не получилось.",
};
