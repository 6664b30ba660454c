/** The tab for downloading values as files, on the native grid: the server makes them. */
import { rootUrl } from "../base/api.js";
import { make, makeField, makeSelect, makeWordButton } from "../base/elements.js";
import { saveUnlessRefused } from "../base/save.js";
import { instant, layer, shownDate, sideA, timeDomain, timeIndex, view } from "../base/state.js";
import { text } from "../base/text.js";
import { rangeOf } from "../time/frames.js";
import { playFrom, playTo } from "../time/playback.js";
import { effect } from "../vendor/signals-core.js";
import { areaAddress, coverageAddress } from "./addresses.js";
import { chosenBox, chosenGeometry, makeDates, makePartField } from "./controls.js";

/** @typedef {import("./picture.js").Tab} Tab */

/** @implements {Tab} */
export class DataTab {
	#instants = sideA.dates.peek().instants;
	#format = /** @type {"GTiff" | "NetCDF"} */ ("GTiff");
	#isInterval = false;
	#asking = new AbortController();
	#dates = makeDates(this.#instants, rangeOf(this.#instants, playFrom.peek(), playTo.peek()), () => this.#describe());
	#about = make("p", { class: "hint", role: "status" });
	#refusal = make("p", { class: "export-note", role: "alert", hidden: true });
	#save = makeWordButton("download", text("export.saveData"), () => void this.#handOver(), { class: "primary" });

	constructor() {
		/** @type {import("../base/elements.js").Choice[]} */
		const options = [
			["one", text("export.thisDate", { date: shownDate.peek() })],
			["several", text("export.severalDates")],
		];
		const when = makeSelect(options, (value) => {
			this.#isInterval = value === "several";
			this.#describe();
		});
		/** @type {import("../base/elements.js").Choice[]} */
		const formats = [
			["GTiff", text("export.geotiff")],
			["NetCDF", text("export.netcdf")],
		];
		const format = makeSelect(formats, (value) => {
			this.#format = value === "NetCDF" ? "NetCDF" : "GTiff";
			this.#describe();
		});
		this.element = make(
			"div",
			{ class: "export-fields export-narrow" },
			make("p", { class: "hint" }, text("export.dataAbout")),
			makePartField(() => this.#describe()),
			...(this.#instants.length > 1 ? [makeField(text("export.dates"), when), this.#dates.element] : []),
			makeField(text("export.format"), format),
			this.#refusal,
			make("div", { class: "row" }, this.#save, this.#about),
		);
		const follow = effect(() => {
			void timeIndex.value;
			this.#describe();
		});
		this.stop = () => {
			follow();
			this.#asking.abort();
		};
	}

	#range() {
		return rangeOf(this.#instants, this.#dates.from(), this.#dates.to());
	}

	#describe() {
		this.#refusal.hidden = true;
		this.#dates.element.hidden = !this.#isInterval;
		const { first, last } = this.#range();
		const { periods } = timeDomain.peek();
		const shown = periods && periods.method !== "clearest" ? periods.members[timeIndex.peek()].length : 1;
		this.#about.textContent = text("export.dataCount", { count: this.#isInterval ? last - first + 1 : shown });
	}

	#datetime() {
		if (!this.#isInterval) return instant.peek()?.text ?? null;
		const { first, last } = this.#range();
		return `${this.#instants[first].text}/${this.#instants[last].text}`;
	}

	/** Returns the address of the values; for an area with very many vertices, those of its bbox. */
	#address() {
		const [of, bbox, geometry] = [layer.peek(), chosenBox() ?? view.peek()?.bbox, chosenGeometry()];
		if (!of || !bbox) return null;
		const what = { datetime: this.#datetime(), format: this.#format };
		const whole = coverageAddress(rootUrl(), of, { bbox, ...what });
		return geometry ? (areaAddress(rootUrl(), of, { geometry, ...what }) ?? whole) : whole;
	}

	/** Downloads the file, or shows why the server refuses it. */
	async #handOver() {
		const address = this.#address();
		if (!address) return;
		this.#save.disabled = true;
		await saveUnlessRefused(address, this.#refusal, this.#asking.signal);
		this.#save.disabled = false;
	}
}
