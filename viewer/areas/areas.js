/** Starts what the page has for areas and marks: the list, the tools, the bar while something is drawn. */
import { startPanel } from "./area-list.js";
import { startDrawBar } from "./draw-bar.js";
import { startPlaceColours } from "./place-colours.js";
import { startPlaceValues } from "./place-values.js";
import { startPlacesPart } from "./places-part.js";
import { startStore } from "./store.js";
import { startTools } from "./tools.js";
import { startDrops } from "./transfer.js";

/** @param {{ panel: HTMLElement, regions: HTMLElement, tools: HTMLElement, frame: HTMLElement }} page @param {boolean} isEmbedded */
export function startAreas({ panel, regions, tools, frame }, isEmbedded) {
	startStore(isEmbedded);
	startDrawBar(frame);
	startTools(tools);
	startPanel(panel);
	startPlaceColours();
	startPlaceValues();
	startPlacesPart(regions, frame);
	startDrops(frame);
}
