/**
 * The colours of places: those of the layer, over a range that suits what is shown of them; diverging ones of
 * anomalies.
 */
import { fetchLegend } from "../base/api.js";
import { differenceStyle, paintedStyle } from "../base/colours.js";
import { AS_STYLED, colouring, compareMode, layer, legend, style } from "../base/state.js";
import { text } from "../base/text.js";
import { titled } from "../base/units.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { hasMeans, shownSet, statistic } from "./place-sets.js";

/** @typedef {import("../base/colours.js").PaintedStyle} PaintedStyle */

/** Of the server's maps of differences. */
const RAMP = "difference";

const diverging = signal(/** @type {PaintedStyle | null} */ (null));

/** Null while nothing has a colour. @type {import("@preact/signals-core").ReadonlySignal<PaintedStyle | null>} */
export const placeStyle = computed(() => {
	// On one map with two sides colours of A's date would lie over B as well.
	const isOfBoth = compareMode.value !== null && compareMode.value !== "side";
	if (!legend.value || !hasMeans.value || isOfBoth) return null;
	const own = paintedStyle(legend.value, colouring.value);
	if (statistic.value === "anomaly") return diverging.value && differenceStyle(own, diverging.value);
	const [low, high] = own.range;
	/** @type {Record<string, [number, number]>} */
	const ranges = { valid_share: [0, 1], std: [0, (high - low) / 2] };
	const range = ranges[statistic.value];
	return range ? paintedStyle(legend.value, { ...colouring.value, range, isLog: false }) : own;
});

/** The key of colours that are not the layer's own; null where they are. */
export const placesKey = computed(() => {
	const [set, shown, what] = [shownSet.value, placeStyle.value, statistic.value];
	if (!set || !shown || !["anomaly", "std", "valid_share"].includes(what)) return null;
	const words = `${set.title}: ${text(`places.statistic.${what}`)}`;
	return {
		title: what === "valid_share" ? words : titled(words, layer.value?.units),
		style: shown,
		swatches: [],
		ends: null,
	};
});

/** Fetches the colours of anomalies as soon as they are shown. */
export const startPlaceColours = () =>
	effect(() => {
		const of = layer.value;
		if (!of || !shownSet.value || statistic.value !== "anomaly" || !hasMeans.value) return;
		const stopping = new AbortController();
		diverging.value = null;
		fetchLegend(of, style.value, stopping.signal, RAMP).then(
			(found) => {
				diverging.value = paintedStyle(found, AS_STYLED);
			},
			// Places stay without colours, and have their values.
			() => {},
		);
		return () => stopping.abort();
	});
