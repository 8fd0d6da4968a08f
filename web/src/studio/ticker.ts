// Counts frames in a worker: a page that is behind others counts too slowly, and the one that shares a screen is.

let timer: ReturnType<typeof setInterval> | undefined;

self.addEventListener("message", (event: MessageEvent<number>) => {
  clearInterval(timer);
  if (event.data > 0) timer = setInterval(() => self.postMessage(0), 1000 / event.data);
});
