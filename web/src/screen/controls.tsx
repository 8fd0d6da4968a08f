// The controls over the picture.

import { watchWords } from "../i18n/words.ts";
import { delayText } from "../rules/renditions.ts";
import { clockOf } from "../rules/span.ts";
import { languageNow } from "../shell/preferences.ts";
import { Glyph, type GlyphName } from "./glyphs.tsx";
import type { Played } from "./playing.ts";
import type { Remote } from "./remote.ts";
import { SettingsMenu } from "./settings_menu.tsx";

/** What stands around the player and can be asked for in its controls. */
export type Around = {
  theatre?: { on: boolean; toggle(): void };
  chat?: { shown: boolean; toggle(): void };
};

export function Controls({ played, remote, around, onMenu }: { played: Played; remote: Remote | undefined; around: Around; onMenu(open: boolean): void }) {
  const w = watchWords();
  const { video, state } = played;
  const [paused, muted, full] = [video?.paused ?? true, (video?.muted ?? false) || video?.volume === 0, document.fullscreenElement !== null];
  const seen = state === "playing" || state === "paused" || state === "returning";
  const { theatre, chat } = around;
  return (
    <div class="controls" id="controls">
      <Button id="play" glyph={paused ? "play" : "pause"} label={paused ? w.play : w.pause} disabled={!seen} onPress={() => remote?.togglePlay()} />
      <div class="volume">
        <Button id="mute" glyph={muted ? "muted" : "audible"} label={muted ? w.unmute : w.mute} onPress={() => remote?.toggleMute()} />
        <input type="range" id="volume" min="0" max="1" step="0.05" aria-label={w.volume} value={muted ? 0 : (video?.volume ?? 1)} onInput={(event) => remote?.setVolume(Number(event.currentTarget.value))} />
      </div>
      <button type="button" class="live" data-back={played.behindSeconds > 0 ? "" : undefined} title={w.toLive} onClick={() => remote?.toLive()}>
        <i aria-hidden="true" />
        {played.behindSeconds > 0 ? <span id="behind">−{clockOf(played.behindSeconds * 1000)}</span> : (
          <>
            <span id="live">{w.live}</span>
            <span class="delay" id="delay" title={w.delay}>{delayText(played.delaySeconds, languageNow(), w.seconds)}</span>
          </>
        )}
      </button>
      <SettingsMenu played={played} onOpen={onMenu} />
      {remote?.captions !== undefined && <Button glyph="captions" label={w.captions} pressed={remote.captions.mode === "showing"} onPress={() => remote.toggleCaptions()} />}
      {remote?.canFloat === true && <Button id="float" glyph="float" label={w.pictureInPicture} onPress={() => void remote.toggleFloat()} />}
      {theatre !== undefined && <Button id="theatre" glyph="theatre" label={theatre.on ? w.leaveTheatre : w.theatre} onPress={() => theatre.toggle()} />}
      {chat !== undefined && <Button id="chat-shown" glyph="chat" label={chat.shown ? w.hideChat : w.showChat} onPress={() => chat.toggle()} />}
      {remote?.canFill === true && <Button id="full" glyph={full ? "small" : "full"} label={full ? w.leaveFullScreen : w.fullScreen} onPress={() => void remote.toggleFull()} />}
    </div>
  );
}

function Button({ id, glyph, label, pressed, disabled, onPress }: { id?: string; glyph: GlyphName; label: string; pressed?: boolean; disabled?: boolean; onPress(): void }) {
  return (
    <button type="button" id={id} title={label} aria-label={label} aria-pressed={pressed} disabled={disabled} onClick={onPress}>
      <Glyph name={glyph} />
    </button>
  );
}
