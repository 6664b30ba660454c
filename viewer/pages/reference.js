/**
 * The page of an OpenAPI document with forms that send each request to this very server. The page lists the operations
 * without scripts; this module puts Swagger UI in the place of that list.
 */
import SwaggerUI from "../vendor/swagger-ui.js";

/** Nothing in the place of a part that the page shows itself. */
const nothing = () => () => null;

/**
 * Requests go to the server that the page is from, also where the document names its public address.
 * @param {string} server
 */
const onThisServer = (server) => () => ({
	statePlugins: {
		spec: {
			wrapActions: {
				updateJsonSpec: (/** @type {(document: object) => unknown} */ update) => (/** @type {object} */ document) =>
					update({ ...document, servers: [{ url: server }] }),
			},
		},
	},
	wrapComponents: { InfoContainer: nothing, ServersContainer: nothing },
});

/** Swagger UI has its own switch of colours; the system's choice is ours. @param {{ matches: boolean }} dark */
const followScheme = ({ matches }) => document.documentElement.classList.toggle("dark-mode", matches);

/** Where the page says that something is. @param {string} relation */
const linked = (relation) => /** @type {HTMLLinkElement} */ (document.querySelector(`link[rel="${relation}"]`)).href;

/** Swagger UI has a `main` of its own. */
function replaceList() {
	document.querySelector("#content")?.remove();
	place.hidden = false;
	document.querySelector(".skip")?.setAttribute("href", "#operations");
}

const place = /** @type {HTMLElement} */ (document.querySelector("#reference"));
const dark = matchMedia("(prefers-color-scheme: dark)");
followScheme(dark);
dark.addEventListener("change", followScheme);
SwaggerUI({
	domNode: place,
	url: linked("service-desc"),
	plugins: [onThisServer(linked("start").replace(/\/$/, ""))],
	onComplete: replaceList,
	defaultModelsExpandDepth: 0,
	displayRequestDuration: true,
	docExpansion: "list",
	tryItOutEnabled: true,
	validatorUrl: null,
});
