/**
 * The page of an OpenAPI document with forms that send each request to this very server. The page lists the operations
 * without scripts; this module puts Swagger UI in the place of that list.
 */
import SwaggerUI from "../vendor/swagger-ui.js";

/** Replaces a part of Swagger UI that the page has already. */
const nothing = () => () => null;

/**
 * Sends requests to the server of the page, even if the document names its public address.
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

/**
 * Swagger UI has a separate colour switch; it is set to the choice of the system.
 * @param {{ matches: boolean }} dark
 */
const followScheme = ({ matches }) => document.documentElement.classList.toggle("dark-mode", matches);

/** Returns the link element of a relation. @param {string} relation */
const linked = (relation) => /** @type {HTMLLinkElement} */ (document.querySelector(`link[rel="${relation}"]`)).href;

/** Removes the list of operations and its `main`, because Swagger UI has a `main` too. */
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
