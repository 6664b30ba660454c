/**
 * Pictures of the map with their labels.
 *
 * @typedef {import("./page-layout.js").Rect} Rect
 * @typedef {import("./labels.js").LabelChoice} LabelChoice
 * @typedef {{ crop: Rect, scale: number, labels: LabelChoice }} PictureForm `scale` is pixels of the picture in one of the screen
 */
import { drawLabels } from "./labels.js";
import { Snapshot } from "./snapshot.js";

export class PictureMaker {
	#snapshot;

	/** @param {Snapshot} snapshot */
	constructor(snapshot) {
		this.#snapshot = snapshot;
	}

	static async make() {
		return new PictureMaker(await Snapshot.make());
	}

	/** Whether something of the background is missing on the picture that was drawn last. */
	get isPartial() {
		return this.#snapshot.isPartial;
	}

	/** Draws what is seen now on a canvas that has its size. @param {HTMLCanvasElement} canvas @param {PictureForm} form */
	draw(canvas, { crop, scale, labels }) {
		const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
		context.setTransform(1, 0, 0, 1, 0, 0);
		context.fillStyle = "#ffffff";
		context.fillRect(0, 0, canvas.width, canvas.height);
		this.#snapshot.draw(context, crop, scale);
		context.setTransform(scale, 0, 0, scale, 0, 0);
		drawLabels(context, { width: canvas.width / scale, height: canvas.height / scale }, labels);
		context.setTransform(1, 0, 0, 1, 0, 0);
	}
}
