/** Starts what the page has for areas and marks: the list, the tools, files that are dropped. */
import { startPanel } from "./area-list.js";
import { startDrops } from "./drops.js";
import { startStore } from "./store.js";
import { startTools } from "./tools.js";

/** @param {{ panel: HTMLElement, tools: HTMLElement, frame: HTMLElement }} page @param {boolean} isEmbedded */
export function startAreas({ panel, tools, frame }, isEmbedded) {
	startStore(isEmbedded);
	startTools(tools);
	startPanel(panel);
	startDrops(frame);
}
