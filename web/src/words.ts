// The words of the pages, in each language. The type holds the languages against each other.

const english = {
  live: "Live",
  connectingShort: "Connecting",
  waitingShort: "Not live yet",
  returningShort: "Interrupted",
  endedShort: "Ended",
  refusedShort: "Locked",
  unplayableShort: "No picture",
  pausedShort: "Paused",
  connecting: "Connecting…",
  connectingMore: "",
  waiting: "Waiting for the stream",
  waitingMore: "It begins here by itself.",
  returning: "Coming back…",
  returningMore: "The picture goes on as soon as it is there again.",
  ended: "The stream has ended",
  endedMore: "If it begins again, it begins here.",
  refused: "A password is needed",
  refusedMore: "Load the page again to sign in.",
  unplayable: "This browser cannot play this stream",
  unplayableMore: "Another browser or a player may.",
  play: "Play",
  pause: "Pause",
  mute: "Mute",
  unmute: "Unmute",
  volume: "Volume",
  unmuteHere: "Tap for sound",
  quality: "Quality",
  automatic: "Auto",
  fullScreen: "Full screen",
  leaveFullScreen: "Leave full screen",
  delay: "Delay",
  seconds: "s",
  reload: "Reload",
  overHls: "Over HLS, a moment later:",
  overWebRtc: "Over WebRTC it cannot be had:",
  reordered: "the stream has B-frames, which WebRTC does not carry.",
  codec: "this browser does not take the stream’s codec over WebRTC.",
  notGiven: "the server does not give it out over WebRTC at the moment.",
  blocked: "this network lets no WebRTC connection through.",
  frozen: "no picture came over WebRTC.",
  unsupported: "this browser has no WebRTC.",
  withoutAudio: "Without audio:",
};

export type Words = typeof english;
export type Word = keyof Words;

const russian: Words = {
  live: "Эфир",
  connectingShort: "Подключение",
  waitingShort: "Ещё не в эфире",
  returningShort: "Прервано",
  endedShort: "Закончилась",
  refusedShort: "Закрыто",
  unplayableShort: "Нет картинки",
  pausedShort: "Пауза",
  connecting: "Подключаемся…",
  connectingMore: "",
  waiting: "Ждём начала трансляции",
  waitingMore: "Она начнётся здесь сама.",
  returning: "Возвращаемся…",
  returningMore: "Картинка продолжится, как только появится.",
  ended: "Трансляция закончилась",
  endedMore: "Если начнётся снова — начнётся здесь.",
  refused: "Нужен пароль",
  refusedMore: "Обновите страницу, чтобы войти.",
  unplayable: "Этот браузер не умеет показывать такую трансляцию",
  unplayableMore: "Попробуйте другой браузер или плеер.",
  play: "Смотреть",
  pause: "Пауза",
  mute: "Выключить звук",
  unmute: "Включить звук",
  volume: "Громкость",
  unmuteHere: "Включить звук",
  quality: "Качество",
  automatic: "Авто",
  fullScreen: "Во весь экран",
  leaveFullScreen: "Выйти из полноэкранного режима",
  delay: "Задержка",
  seconds: "с",
  reload: "Обновить",
  overHls: "По HLS, чуть позже эфира:",
  overWebRtc: "По WebRTC не получается:",
  reordered: "в потоке есть B-кадры, WebRTC их не передаёт.",
  codec: "кодек потока этот браузер по WebRTC не принимает.",
  notGiven: "сервер сейчас не отдаёт его по WebRTC.",
  blocked: "сеть не пропускает соединение WebRTC.",
  frozen: "по WebRTC картинка не пришла.",
  unsupported: "в этом браузере нет WebRTC.",
  withoutAudio: "Без звука:",
};

/** The language of the viewer, as far as we speak it. */
export function language(wanted: readonly string[]): "en" | "ru" {
  for (const tag of wanted) {
    const first = tag.toLowerCase().split("-")[0];
    if (first === "ru") return "ru";
    if (first === "en") return "en";
  }
  return "en";
}

export function wordsOf(tag: "en" | "ru"): Words {
  return tag === "ru" ? russian : english;
}
