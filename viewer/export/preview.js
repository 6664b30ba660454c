/** A small preview of a file, updated with the map. */
import { make } from "../base/elements.js";
import { colouring, extras, isGapFilled, legend, sideB, tileProgress, timeIndex, view } from "../base/state.js";
import { text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";
import { chosenArea, chosenRect, labels } from "./controls.js";
import { sizeOf } from "./page/page-layout.js";
import { PictureMaker } from "./page/snapshot.js";

/** Length of its longer side on the screen. */
const SIDE_PX = 400;
/** Minimum time between two drawings while the map changes. */
const WAIT_MS = 120;

/**
 * @param {(rect: import("./page/page-layout.js").Rect | null, isPartial: boolean) => void} changed is called with the
 *   drawn part of the map
 * @returns {Promise<{ element: HTMLElement, stop: () => void }>}
 */
export async function makePreview(changed) {
	const maker = await PictureMaker.make();
	const canvas = make("canvas", { role: "img", "aria-label": text("export.preview") });
	const element = make("div", { class: "export-preview" }, canvas);
	let waiting = 0;
	const draw = () => {
		waiting = 0;
		const crop = chosenRect();
		element.hidden = crop === null;
		if (crop) {
			const ratio = Math.min(2, window.devicePixelRatio || 1);
			const scale = (SIDE_PX * ratio) / Math.max(crop.width, crop.height, SIDE_PX / 2);
			Object.assign(canvas, sizeOf(crop, scale, false));
			maker.draw(canvas, { crop, scale, labels: labels.peek() });
		}
		changed(crop, maker.isPartial);
	};
	const stop = effect(() => {
		void [chosenArea.value, labels.value, tileProgress.value, timeIndex.value, view.value, legend.value];
		void [colouring.value, isGapFilled.value, extras.value, sideB.value?.tileProgress.value, sideB.value?.legend.value];
		waiting ||= window.setTimeout(draw, WAIT_MS);
	});
	return {
		element,
		stop: () => {
			stop();
			window.clearTimeout(waiting);
		},
	};
}
