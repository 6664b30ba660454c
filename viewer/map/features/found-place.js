/** Marks the place that the search has found, on every map there is. */

import { makeIcon } from "../../base/icons.js";
import { foundPlace } from "../../base/state.js";
import { DivIcon, Marker } from "../../vendor/leaflet.js";
import { effect } from "../../vendor/signals-core.js";
import { maps } from "../map.js";

/** Width and height of the mark, whose point is below its middle. */
const SIZE_PX = 36;

export function startFound() {
	effect(() => {
		const place = foundPlace.value;
		if (!place) return;
		const picture = document.createElement("span");
		picture.append(makeIcon("pin"));
		const icon = new DivIcon({
			className: "found-mark",
			html: picture,
			iconAnchor: [SIZE_PX / 2, SIZE_PX - 3],
			iconSize: [SIZE_PX, SIZE_PX],
		});
		const marks = maps.value.map((map) =>
			new Marker([place.lat, place.lon], { alt: place.name, icon, interactive: false, keyboard: false }).addTo(map),
		);
		return () => {
			for (const mark of marks) mark.remove();
		};
	});
}
