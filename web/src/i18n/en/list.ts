// The words of the list of what is live.


export const list = {
  title: "Live now",
  nobodyTitle: "Nobody is live",
  nobodyMore: "A stream shows up here by itself as soon as one begins.",
  search: "Search",
  nothingFound: (looked: string) => `No stream matches “${looked}”.`,
  sort: "Sort by",
  byViewers: "Most viewers",
  byNewest: "Newest",
  byName: "Name",
  onAir: "Live",
  since: (span: string) => `live for ${span}`,
  earlier: "Not live now",
  ended: "ended",
  waiting: "not live yet",
  announced: (count: number) => (count === 0 ? "Nobody is live" : `${count} live`),
  fromBrowser: "From this browser",
  fromBrowserMore: "Camera, screen or both. Nothing to install.",
  fromEncoder: "From OBS or another encoder",
  server: "Server",
  key: "Stream key",
  keyMore: "a name of your choice, or the key that the operator gave you",
  fromTerminal: "From a file, on the server",
};
