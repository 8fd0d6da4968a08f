// What is sent: camera, screen or both, with the microphone. It can be changed while it is sent.

import type { Quality } from "../rules/quality.ts";
import { Composer } from "./compose.ts";
import { openDevices, openScreen } from "./devices.ts";

export type What = "camera" | "screen" | "both";

export class Source {
  /** What is sent and shown; its tracks change. */
  readonly stream = new MediaStream();
  private camera: MediaStream | undefined;
  private screen: MediaStream | undefined;
  private composer: Composer | undefined;
  what: What | undefined;

  constructor(
    /** Called when tracks have changed. */
    private readonly changed: () => void,
    /** Called when the viewer's browser ends the sharing of the screen. */
    private readonly screenEnded: () => void,
  ) {}

  /** Opens what is wanted; what was open before stays until that is there. */
  async take(what: What, quality: Quality): Promise<void> {
    const screen = what === "camera" ? undefined : await openScreen(quality);
    let camera: MediaStream;
    try {
      camera = await openDevices({ camera: what !== "screen", microphone: true }, quality).catch((error: unknown) => {
        // A screen can go without a microphone.
        if (screen === undefined || what === "both") throw error;
        return new MediaStream();
      });
    } catch (error) {
      stop(screen);
      throw error;
    }
    this.drop();
    this.what = what;
    this.camera = camera;
    this.screen = screen;
    screen?.getVideoTracks()[0]?.addEventListener("ended", () => this.screen === screen && this.screenEnded());
    if (what === "both" && screen !== undefined) this.composer = new Composer(screen, camera, quality);
    const video = this.composer?.track ?? (screen ?? camera).getVideoTracks()[0];
    const audio = camera.getAudioTracks()[0] ?? screen?.getAudioTracks()[0];
    for (const track of [video, audio]) if (track !== undefined) this.stream.addTrack(track);
    this.changed();
  }

  get video(): MediaStreamTrack | undefined {
    return this.stream.getVideoTracks()[0];
  }

  get audio(): MediaStreamTrack | undefined {
    return this.stream.getAudioTracks()[0];
  }

  end(): void {
    this.drop();
    this.what = undefined;
    this.changed();
  }

  private drop(): void {
    for (const track of this.stream.getTracks()) this.stream.removeTrack(track);
    this.composer?.end();
    stop(this.camera);
    stop(this.screen);
    this.composer = this.camera = this.screen = undefined;
  }
}

function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
