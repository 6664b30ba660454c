/** Title and logo of the service in the header; narrow windows have the title in the menu. */
import { rootUrl } from "../base/api.js";
import { byId } from "../base/elements.js";

/** Shows them. @param {import("../base/api.js").ViewerConfig | null} config without one, the title of the page stays */
export function showBrand(config) {
	const { dataset } = byId("brand");
	dataset.shown = "";
	if (!config) return;
	for (const place of document.querySelectorAll("[data-service-title]")) place.textContent = config.title;
	const picture = byId("logo", HTMLImageElement);
	// A configured picture that cannot be shown is not replaced by the sign of chronotile.
	if (config.logo === null) picture.remove();
	else if (config.logo) {
		picture.src = rootUrl() + config.logo;
		dataset.logo = "";
	}
}
