/**
 * Base class of the two elements: a shadow root with styles, and one update for all attributes that change together.
 */

/** @type {typeof HTMLElement} so that modules with elements can be imported without a page, for example on a server */
const Base = globalThis.HTMLElement ?? class {};

export class LiveElement extends Base {
	#isDue = false;
	#stopping = new AbortController();

	/** @param {string} css */
	constructor(css) {
		super();
		this.root = this.attachShadow({ mode: "open" });
		const style = document.createElement("style");
		style.textContent = css;
		this.root.append(style);
	}

	connectedCallback() {
		this.changed();
	}

	disconnectedCallback() {
		this.#stopping.abort();
	}

	/** @param {string} _name */
	attributeChangedCallback(_name) {
		this.changed();
	}

	/** Schedules one update, and aborts requests of the previous update. */
	changed() {
		if (this.#isDue) return;
		this.#isDue = true;
		queueMicrotask(() => {
			this.#isDue = false;
			if (!this.isConnected) return;
			this.#stopping.abort();
			this.#stopping = new AbortController();
			void this.update(this.#stopping.signal);
		});
	}

	/** @param {AbortSignal} _signal aborted when the next update begins @returns {Promise<void>} */
	async update(_signal) {}

	/** An attribute, or "". @param {string} name */
	attribute(name) {
		return this.getAttribute(name) ?? "";
	}
}

/** @param {string} name @param {CustomElementConstructor} element */
export function define(name, element) {
	const registry = globalThis.customElements;
	if (registry && !registry.get(name)) registry.define(name, element);
}
