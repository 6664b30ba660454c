/** Starts what is shown of sets of places: the choice of one, its places on the map, their values and colours. */
import { startPlaceColours } from "../../areas/place-colours.js";
import { startPlaceValues } from "../../areas/place-values.js";
import { startPlacesPart } from "../../areas/places-part.js";
import { maps } from "../map.js";
import { startPlaceTiles } from "./place-tiles.js";

/** @param {HTMLElement} panel @param {HTMLElement} frame of the map */
export function startSets(panel, frame) {
	startPlaceColours();
	startPlaceValues();
	startPlacesPart(panel, frame);
	startPlaceTiles(maps.peek()[0]);
}
