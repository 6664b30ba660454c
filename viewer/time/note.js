/**
 * The size of cells at the scale of the map; and a note next to the controls: playback waits for a date, or a preview
 * is shown.
 */
import { fetchLayer } from "../base/api.js";
import { formatInstant } from "../base/dates.js";
import { isGapFilled, isMoving, layer, loadedTimes, timeDomain, timeIndex, view } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { maps } from "../map/map.js";
import { effect, signal } from "../vendor/signals-core.js";
import { awaited } from "./playback.js";
import { cellLength, formatLength, pixelLength } from "./resolution.js";
import { hasCubes } from "./shares.js";

/** Cells shown are called coarser than the source's when they are by this factor. */
const COARSER = 1.5;

/** @param {HTMLElement} note */
export function startNote(note) {
	/** The server's document of the layer; null while it loads, or if that fails. */
	const whole = signal(/** @type {import("./resolution.js").Whole | null} */ (null));
	effect(() => {
		const of = layer.value;
		whole.value = null;
		const take = (/** @type {import("./resolution.js").Whole} */ answer) => {
			if (layer.peek() === of) whole.value = answer;
		};
		if (of) fetchLayer(of.id, new AbortController().signal).then(take, () => {});
	});
	effect(() => {
		const filled = isGapFilled.value && hasCubes.value ? text("time.filled") : "";
		note.textContent = waitText() ?? (previewText(whole.value) || filled);
	});
	effect(() => {
		const scale = maps.value[0]?.getContainer().querySelector(".leaflet-control-scale");
		if (scale instanceof HTMLElement) scale.title = resolutionText(whole.value);
	});
}

/** Returns the date for which playback waits, as text; null if there is none. */
function waitText() {
	const instant = timeDomain.value.instants[awaited.value ?? -1];
	return instant ? text("play.waiting", { date: formatInstant(instant, locale(), "short") }) : null;
}

/**
 * Returns metres on the ground: of a cell of the layer, and of a cell as it is shown on the map.
 * @param {import("./resolution.js").Whole | null} whole
 */
function lengthsOf(whole) {
	if (!whole?.resolution || !view.value) return null;
	const { lat, zoom } = view.value;
	const cell = cellLength(whole, lat);
	return { cell, shown: Math.max(cell, pixelLength(zoom, lat)) };
}

/** @param {import("./resolution.js").Whole | null} whole */
function previewText(whole) {
	const isPreview = isMoving.value && loadedTimes.value.get(timeIndex.value) === "preview";
	const lengths = isPreview ? lengthsOf(whole) : null;
	return lengths ? text("time.preview", { length: formatLength(2 * lengths.shown, locale()) }) : "";
}

/** @param {import("./resolution.js").Whole | null} whole */
function resolutionText(whole) {
	const lengths = lengthsOf(whole);
	if (!lengths) return "";
	const [length, source] = [lengths.shown, lengths.cell].map((metres) => formatLength(metres, locale()));
	return lengths.shown > lengths.cell * COARSER
		? text("time.coarser", { length, source })
		: text("time.resolution", { length });
}
