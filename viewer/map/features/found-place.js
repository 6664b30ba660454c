/** Marks the found place of the search, on every map. */

import { make } from "../../base/elements.js";
import { makeIcon } from "../../base/icons.js";
import { foundPlace } from "../../base/state.js";
import { DivIcon, Marker } from "../../vendor/leaflet.js";
import { putOnMaps } from "../map.js";

/** Width and height of the mark, whose tip is at the bottom in the middle. */
const SIZE_PX = 36;

export function startFound() {
	putOnMaps(() => {
		const place = foundPlace.value;
		if (!place) return [];
		const icon = new DivIcon({
			className: "found-mark",
			html: make("span", {}, makeIcon("pin")),
			iconAnchor: [SIZE_PX / 2, SIZE_PX - 3],
			iconSize: [SIZE_PX, SIZE_PX],
		});
		const how = { alt: place.name, icon, interactive: false, keyboard: false };
		return [new Marker([place.lat, place.lon], how)];
	});
}
