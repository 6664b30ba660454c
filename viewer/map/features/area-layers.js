/** Starts what the maps show of areas: their outlines, what is being drawn, handles at corners, the places of sets. */
import { maps } from "../map.js";
import { startAreaOutlines } from "./area-outlines.js";
import { startCornerHandles } from "./corner-handles.js";
import { startDraftLayer } from "./draft-layer.js";
import { startPlaceTiles } from "./place-tiles.js";

export function startAreaLayers() {
	const [map] = maps.peek();
	startAreaOutlines();
	startDraftLayer(map);
	startCornerHandles(map);
	startPlaceTiles(map);
}
