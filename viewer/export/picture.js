/** The tab that saves a picture of the map. */
import { make, makeWordButton } from "../base/elements.js";
import { saveFile } from "../base/save.js";
import { instant, layer } from "../base/state.js";
import { text } from "../base/text.js";
import { stemOf } from "./addresses.js";
import { chosenRect, labels, makeLabelFields, makeOutsideNote, makePartField, makeSizeField } from "./controls.js";
import { sizeOf } from "./page/page-layout.js";
import { PictureMaker } from "./page/snapshot.js";
import { makePreview } from "./preview.js";

/** @typedef {import("./page/page-layout.js").Rect} Rect */
/** @typedef {{ element: HTMLElement, stop: () => void }} Tab */

/** Pixels of a picture that browsers make without fail. */
const MOST_SIDE_PX = 8192;

/** @returns {Promise<Tab>} */
export async function makePictureTab() {
	let scale = 1;
	const about = make("p", { class: "hint" });
	const partial = make("p", { class: "export-note", hidden: true }, text("export.partial"));
	const outside = makeOutsideNote();
	const save = makeWordButton("download", text("export.savePicture"), () => void savePicture(scale), {
		class: "primary",
	});
	const describe = (/** @type {Rect | null} */ rect, /** @type {boolean} */ isPartial) => {
		outside.hidden = rect !== null;
		partial.hidden = !isPartial;
		save.disabled = rect === null;
		if (rect) about.textContent = text("export.pictureSize", sizeOf(rect, scale, false));
	};
	const preview = await makePreview(describe);
	const size = makeSizeField([1, 2], (next) => {
		scale = next;
		describe(chosenRect(), !partial.hidden);
	});
	const fields = make(
		"div",
		{ class: "export-fields" },
		makePartField(() => {}),
		size,
		makeLabelFields(),
		outside,
		partial,
		make("div", { class: "row" }, save, about),
	);
	return { element: make("div", { class: "export-columns" }, preview.element, fields), stop: preview.stop };
}

/** @param {number} scale */
async function savePicture(scale) {
	const [crop, of] = [chosenRect(), layer.peek()];
	if (!crop || !of) return;
	const fitting = Math.min(scale, MOST_SIDE_PX / Math.max(crop.width, crop.height));
	const canvas = Object.assign(document.createElement("canvas"), sizeOf(crop, fitting, false));
	const maker = await PictureMaker.make();
	maker.draw(canvas, { crop, scale: fitting, labels: labels.peek() });
	canvas.toBlob((file) => file && saveFile(file, `${stemOf(of, instant.peek()?.text ?? null)}.png`), "image/png");
}
