/** Starts what the viewer does with areas and marks: the list, the tools, what is drawn on the maps. */
import { startAreaLayers } from "../map/areas.js";
import { startCorners } from "../map/corners.js";
import { startDrawing } from "../map/draw.js";
import { maps } from "../map/map.js";
import { startPlaceTiles } from "../map/place-tiles.js";
import { loadStyles } from "../shell/styles.js";
import { startDrawBar } from "./draw-bar.js";
import { startPanel } from "./panel.js";
import { startPlaceSets } from "./place-sets.js";
import { startPlacesPart } from "./places-part.js";
import { startStore } from "./store.js";
import { startTools } from "./tools.js";
import { startDrops } from "./transfer.js";

/** @param {{ panel: HTMLElement, tools: HTMLElement, frame: HTMLElement }} page @param {boolean} isEmbedded */
export async function startAreas({ panel, tools, frame }, isEmbedded) {
	await loadStyles("areas/areas.css");
	startStore(isEmbedded);
	startAreaLayers();
	const [map] = maps.peek();
	startDrawing(map);
	startDrawBar(frame);
	startCorners(map);
	startTools(tools);
	startPanel(panel);
	startPlacesPart(panel, frame);
	startDrops(frame);
	startPlaceTiles(map);
	await startPlaceSets();
}
