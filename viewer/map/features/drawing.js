/** Starts what draws on the map: the bar that says how, what is being drawn, handles at corners. */
import { startDrawBar } from "../../areas/draw-bar.js";
import { maps } from "../map.js";
import { startCornerHandles } from "./corner-handles.js";
import { startDraftLayer } from "./draft-layer.js";

/** @param {HTMLElement} frame of the map */
export function startDrawing(frame) {
	const [map] = maps.peek();
	startDrawBar(frame);
	startDraftLayer(map);
	startCornerHandles(map);
}
