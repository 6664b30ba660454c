/** All controls of time, loaded when a layer has several dates. */
import { startClear } from "./clear.js";
import { startNote } from "./note.js";
import { pause, startPlayback } from "./playback.js";
import { startPlayer } from "./player.js";
import { startShares } from "./shares.js";
import { joinPeriod } from "./strip/axis.js";
import { Strip } from "./strip.js";
import { followMoves, followZoom } from "./strip-moves.js";

/** @param {import("./timeline.js").Parts} parts */
export function startTimeControls({ strip: root, play, options, note, zoom, previous, next }) {
	joinPeriod();
	const strip = new Strip(root);
	strip.follow();
	followMoves(strip, async (index, x) => (await import("./lens.js")).showLens(root, index, x));
	followZoom(strip, zoom);
	for (const button of [previous, next]) button.addEventListener("click", pause);
	startShares();
	startNote(note);
	startClear();
	startPlayer({ play, options, zoom });
	startPlayback();
}
