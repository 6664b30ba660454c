/** The note at the end of the controls: what playing waits for, whether a preview is shown, and how fine the cells are. */
import { fetchLayer } from "../base/api.js";
import { formatShortDate } from "../base/dates.js";
import { isGapFilled, isMoving, layer, loadedTimes, timeDomain, timeIndex, view } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { effect, signal } from "../vendor/signals-core.js";
import { awaited } from "./playback.js";
import { cellLength, formatLength, pixelLength } from "./resolution.js";
import { hasCubes } from "./shares.js";

/** Cells shown are called coarser than the source's when they are by this factor. */
const COARSER = 1.5;

/** @param {HTMLElement} note */
export function startNote(note) {
	note.title = text("time.resolutionMeans");
	/** All that the server tells of the layer; null while it loads, or when it does not come. */
	const whole = signal(/** @type {import("./resolution.js").Whole | null} */ (null));
	effect(() => {
		const of = layer.value;
		whole.value = null;
		if (!of) return;
		const stopping = new AbortController();
		fetchLayer(of.id, stopping.signal).then(
			(answer) => {
				if (!stopping.signal.aborted) whole.value = /** @type {any} */ (answer);
			},
			() => {},
		);
		return () => stopping.abort();
	});
	effect(() => {
		const filled = isGapFilled.value && hasCubes.value ? text("time.filled") : "";
		note.textContent = waitText() ?? [resolutionText(whole.value), filled].filter(Boolean).join(" · ");
	});
}

/** What is waited for; null while nothing is. */
function waitText() {
	const instant = timeDomain.value.instants[awaited.value ?? -1];
	return instant ? text("play.waiting", { date: formatShortDate(instant.ms, locale()) }) : null;
}

/** @param {import("./resolution.js").Whole | null} whole */
function resolutionText(whole) {
	if (!whole?.resolution || !view.value) return "";
	const { lat, zoom } = view.value;
	const cell = cellLength(whole, lat);
	const isPreview = isMoving.value && loadedTimes.value.get(timeIndex.value) === "preview";
	const shown = Math.max(cell, pixelLength(zoom, lat)) * (isPreview ? 2 : 1);
	const [length, source] = [shown, cell].map((metres) => formatLength(metres, locale()));
	if (isPreview) return text("time.preview", { length });
	return shown > cell * COARSER ? text("time.coarser", { length, source }) : text("time.resolution", { length });
}
