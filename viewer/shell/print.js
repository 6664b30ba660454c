/** Fits the map and the chart to the page before it is printed, and writes the link to it. */
import { addressOf, readAddress } from "../base/permalink.js";
import { link } from "../base/state.js";

/** The room on a page of A4 across, in CSS pixels, above the link. */
const ROOM = { width: 1040, height: 620 };
/** Tiles that are made smaller end on whole pixels, or else lines show between them. */
const TILE_PX = 256;

/** @param {HTMLElement} frame of the map @param {HTMLElement} chart @param {HTMLElement} place where the link is written */
export function startPrint(frame, chart, place) {
	window.addEventListener("beforeprint", () => {
		const { width, height } = frame.getBoundingClientRect();
		const scale = Math.min(ROOM.width / width, ROOM.height / (height + chart.getBoundingClientRect().height));
		const { style } = document.documentElement;
		style.setProperty("--print-width", `${width}px`);
		style.setProperty("--print-height", `${height}px`);
		style.setProperty("--print-scale", String(Math.floor(scale * TILE_PX) / TILE_PX));
		place.textContent = addressOf(link.peek() ?? readAddress().link);
	});
}
