/** Scenarios 15 and 16 of the viewer, and the panel of layers. `node legend.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { centreOf, FIXTURES, isCloud, TILE_COLUMN, TILE_ROW, valueAt, ZOOM } from "./formula.mjs";
import { answerJson, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import {
	brokenRules,
	chooseLayer,
	linkValue,
	noticeTexts,
	until,
	whenAtRest,
	whenFocused,
	whenLinkSays,
	whenNoNotices,
	whenNotice,
	whenShown,
} from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./formula.mjs").Cell} Cell */

/** In the middle of `ndvi`, and without clouds at its first date. */
const CELL = { row: 200, column: 300 };
/** Width of cells in pixels at this zoom. */
const CELL_PX = 4;
const AT_ZOOM = ZOOM + Math.log2(CELL_PX);

/** @param {Cell} cell in the middle of the map */
const viewOf = (cell) => [...Object.values(centreOf(cell)).map((degrees) => degrees.toFixed(5)), AT_ZOOM].join(",");
const VIEW = viewOf(CELL);
/** Some cells on the map. */
const NEARBY = [0, 31, -47, 60].map((step) => ({ row: CELL.row + step, column: CELL.column - step }));

/**
 * Returns the colour of a cell on the map, as red, green, blue, alpha; the map is centred on CELL.
 * @param {Page} page
 * @param {Cell} cell
 * @returns {Promise<number[]>}
 */
const drawnAt = (page, { row, column }) =>
	page.evaluate(
		([down, right]) => {
			const frame = /** @type {HTMLElement} */ (document.getElementById("map")).getBoundingClientRect();
			const [x, y] = [frame.x + frame.width / 2 + right, frame.y + frame.height / 2 + down];
			const all = /** @type {HTMLCanvasElement[]} */ ([...document.querySelectorAll(".data-tiles canvas")]);
			for (const canvas of all) {
				const { left, top, width, height } = canvas.getBoundingClientRect();
				if (x < left || x >= left + width || y < top || y >= top + height || canvas.width < 2) continue;
				const at = [((x - left) * canvas.width) / width, ((y - top) * canvas.height) / height].map(Math.floor);
				return [.../** @type {any} */ (canvas.getContext("2d")).getImageData(at[0], at[1], 1, 1).data];
			}
			return [];
		},
		[CELL_PX * (row - CELL.row), CELL_PX * (column - CELL.column)],
	);

/**
 * Returns the colour of a cell in the server's picture of `ndvi` at its first date.
 * @param {Page} page
 * @param {Cell} cell
 * @param {string} query
 * @returns {Promise<number[]>}
 */
const paintedAt = (page, { row, column }, query) =>
	page.evaluate(
		async ([path, x, y]) => {
			const answer = await fetch(new URL(`../${path}`, document.baseURI));
			if (!answer.ok) throw new Error(await answer.text());
			const context = new OffscreenCanvas(256, 256).getContext("2d");
			context?.drawImage(await createImageBitmap(await answer.blob()), 0, 0);
			return [...(context?.getImageData(Number(x), Number(y), 1, 1).data ?? [])];
		},
		[
			`tiles/ndvi/WebMercatorQuad/${ZOOM}/${TILE_COLUMN + (column >> 8)}/${TILE_ROW + (row >> 8)}.png?datetime=2019-01-01&${query}`,
			column & 255,
			row & 255,
		],
	);

/** Waits until the map has the colours of the server's pictures. @param {Page} page @param {string} query */
async function assertPainted(page, query) {
	for (const cell of NEARBY) {
		const expected = await paintedAt(page, cell, query);
		await whenDrawn(page, cell, expected, `${query} at row ${cell.row}, column ${cell.column}`);
	}
}

/**
 * Waits until the map shows a cell in a colour.
 * @param {Page} page
 * @param {Cell} cell
 * @param {number[]} expected
 * @param {string} what is looked at
 */
async function whenDrawn(page, cell, expected, what) {
	/** @type {number[]} */
	let drawn = [];
	const isSo = async () => {
		drawn = await drawnAt(page, cell);
		return drawn.join() === expected.join();
	};
	await until(page, isSo, () => `${what} in ${expected}, but it is ${drawn}`);
}

/** Returns the requests of pictures, cubes and legends. @param {string[]} requests */
const colourRequests = (requests) => requests.filter((url) => /\/(tiles|cubes)\//.test(new URL(url).pathname));

/** @param {string[]} requests */
const dataRequests = (requests) => requests.filter((url) => /\.(png|ctc)(\?|$)/.test(new URL(url).pathname));

/** @param {Page} page @param {"low" | "high"} end */
const numberInput = (page, end) => page.locator(`#legend-body .legend-number[data-end=${end}]`);

/** Returns the centres of the handles. @param {Page} page @returns {Promise<number[]>} */
const handlePlaces = async (page) => (await readScale(page)).handles;

/**
 * Returns labels of the scale, their centres and edges, and the centres of the handles, at the same moment.
 * @param {Page} page
 */
const readScale = (page) =>
	page.locator("#legend-body").evaluate((body) => {
		const handles = [.../** @type {NodeListOf<HTMLInputElement>} */ (body.querySelectorAll(".legend-handle"))];
		return {
			handles: handles.map((handle) => {
				const { left, width } = handle.getBoundingClientRect();
				return left + 12 + (Number(handle.value) / Number(handle.max)) * (width - 24);
			}),
			ticks: [...body.querySelectorAll(".legend-ticks span")].map((label) => {
				const { left, right } = label.getBoundingClientRect();
				return { value: Number(label.textContent?.replace("−", "-")), left, right, middle: (left + right) / 2 };
			}),
		};
	});

/** Opens the list of colours. @param {Page} page */
async function openPalettes(page) {
	await page.locator("#palette-a").click();
	await page.locator("#palette-a-list [role=option]").nth(5).waitFor();
}

/**
 * Returns the colours of an element as drawn, without a margin.
 * @param {Page} page
 * @param {string} selector
 * @param {number} margin
 * @returns {Promise<string[]>}
 */
async function drawnColours(page, selector, margin) {
	const picture = (await page.locator(selector).first().screenshot()).toString("base64");
	return page.evaluate(
		async ([source, edge]) => {
			const image = new Image();
			image.src = `data:image/png;base64,${source}`;
			await image.decode();
			const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
			if (!context) throw new Error("no canvas");
			context.drawImage(image, 0, 0);
			const [width, height] = [image.width - 2 * edge, image.height - 2 * edge];
			const { data } = context.getImageData(edge, edge, width, height);
			const pixels = Array.from({ length: width * height }, (_, index) => data.slice(4 * index, 4 * index + 3).join());
			return [...new Set(pixels)];
		},
		/** @type {const} */ ([picture, margin]),
	);
}

await runAsCalled([
	[
		"15 a range that is typed recolours the map without a request, and is in the link",
		async ({ open }) => {
			const { page, requests } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}` });
			await whenShown(page);
			await assertPainted(page, "");
			const before = dataRequests(requests).length;
			await numberInput(page, "low").fill("0.1");
			await numberInput(page, "low").press("Enter");
			await numberInput(page, "high").fill("0,62");
			await numberInput(page, "high").press("Tab");

			await assertPainted(page, "range=0.1,0.62");
			await whenLinkSays(page, "min", "0.1");
			await whenLinkSays(page, "max", "0.62");
			const shown = dataRequests(requests).slice(before);
			assert.ok(
				shown.every((url) => new URL(url).searchParams.has("datetime") && !new URL(url).searchParams.has("rev")),
				"the viewer asked for data",
			);
		},
	],
	[
		"15 an end that is dragged recolours the map at once, without a request; reset brings the style back",
		async ({ open, outDir }) => {
			const { page, requests } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}` });
			await whenShown(page);
			await page.locator("#legend-body .legend-plot").waitFor();
			const painted = await drawnAt(page, CELL);
			const before = colourRequests(requests).length;
			const [, high] = await handlePlaces(page);
			const scale = await page.locator("#legend-body .legend-scale").boundingBox();
			assert.ok(scale);
			await page.mouse.move(high, scale.y + 30);
			await page.mouse.down();
			await page.mouse.move(high - 60, scale.y + 30);
			await page.mouse.move(high - 120, scale.y + 30);
			await page.waitForFunction(
				([was]) => Number(/** @type {any} */ (document.querySelector(".legend-number[data-end=high]")).value) < was,
				[0.7],
			);
			// It is painted with the next frame.
			await until(page, async () => (await drawnAt(page, CELL)).join() !== painted.join());
			await page.screenshot({ path: join(outDir, "legend-drag.png") });
			await page.mouse.up();
			const dragged = Number(await numberInput(page, "high").inputValue());

			assert.deepEqual(colourRequests(requests).slice(before), [], "the viewer asked for data or a legend");
			await assertPainted(page, `range=-0.08,${dragged}`);
			await page.getByRole("button", { name: "Reset the colours" }).click();
			await assertPainted(page, "");
			assert.equal(await numberInput(page, "high").inputValue(), "0.92");
			await whenLinkSays(page, "max", null);
		},
	],
	[
		"15 an end moves by keys, and says its value",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}` });
			await whenShown(page);
			const low = page.getByRole("slider", { name: "Lower end of the colours" });
			await low.focus();
			for (let step = 0; step < 5; step++) await low.press("ArrowRight");

			await page.waitForFunction(
				() =>
					new URLSearchParams(window.location.search).get("min") ===
					document.querySelector(".legend-handle.low")?.getAttribute("aria-valuetext"),
			);
			await whenAtRest(page);
			const typed = Number(await numberInput(page, "low").inputValue());
			assert.ok(typed > -0.08 && typed < 0, String(typed));
			assert.equal(linkValue(page, "min"), String(typed));
			await assertPainted(page, `range=${typed},0.92`);
		},
	],
	[
		"15 ends in the wrong order, and what is no number, are refused in words",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}` });
			await whenShown(page);
			await numberInput(page, "low").fill("0.95");
			await numberInput(page, "low").press("Enter");
			await page.getByText("The first number must be less than the second.").waitFor();
			assert.equal(await numberInput(page, "low").getAttribute("aria-invalid"), "true");
			await assertPainted(page, "");
			await numberInput(page, "low").fill("low");
			await numberInput(page, "low").press("Enter");
			await page.getByText("That is not a number.").waitFor();
			await numberInput(page, "low").fill("0.2");
			await numberInput(page, "low").press("Enter");

			assert.ok(await page.locator(".field-fault").isHidden());
			await assertPainted(page, "range=0.2,0.92");
		},
	],
	[
		"15 the range can be fitted to 2 to 98 % of the values on the map",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}` });
			await whenShown(page);
			await page.getByRole("button", { name: "Fit to the values on the map" }).click();
			await whenLinkSays(page, "max", await numberInput(page, "high").inputValue());
			const fitted = [Number(linkValue(page, "min")), Number(linkValue(page, "max"))];

			const { size } = FIXTURES.ndvi;
			const cells = Array.from({ length: size * size }, (_, at) => ({ row: Math.floor(at / size), column: at % size }));
			const frame = await page.locator("#map").boundingBox();
			assert.ok(frame);
			const values = cells
				.filter(
					({ row, column }) =>
						Math.abs(row - CELL.row) < frame.height / 2 / CELL_PX &&
						Math.abs(column - CELL.column) < frame.width / 2 / CELL_PX,
				)
				.map((cell) => valueAt("ndvi", 0, cell))
				.filter((value) => value !== null)
				.sort((one, other) => one - other);
			const expected = [0.02, 0.98].map((share) => values[Math.round(share * (values.length - 1))]);
			for (const end of [0, 1]) assert.ok(Math.abs(fitted[end] - expected[end]) < 0.01, `${fitted}, not ${expected}`);
		},
	],
	[
		"16 other colours, reversed and on a logarithmic scale, are those of the server's pictures",
		async ({ open, outDir }) => {
			const { page, requests } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}` });
			await whenShown(page);
			const before = dataRequests(requests).length;
			await openPalettes(page);
			await page.screenshot({ path: join(outDir, "legend-palettes.png") });
			await page.keyboard.press("Escape");
			await whenFocused(page, "palette-a");
			await openPalettes(page);
			await page.keyboard.press("p");
			await page.keyboard.press("Enter");
			await whenLinkSays(page, "ramp", "plasma");
			await whenFocused(page, "palette-a");
			assert.deepEqual(dataRequests(requests).slice(before), [], "the viewer asked for data");
			await assertPainted(page, "ramp=plasma");
			await openPalettes(page);
			await page.getByRole("button", { name: "Reversed" }).click();
			await assertPainted(page, "ramp=plasma&reversed=true");
			await page.getByRole("button", { name: "Logarithmic" }).click();
			const low = await numberInput(page, "low").inputValue();
			assert.ok(Number(low) > 0);
			await assertPainted(page, `ramp=plasma&reversed=true&logarithmic=true&range=${low},0.92`);
			await whenLinkSays(page, "log", "1");
			assert.equal(linkValue(page, "reversed"), "1");
			await page.screenshot({ path: join(outDir, "legend-log.png") });
		},
	],
	[
		"16 a link brings the colours back",
		async ({ open }) => {
			const search = `?layer=ndvi&date=2019-01-01&view=${VIEW}&style=viridis&ramp=magma&min=0.05&max=0.5&reversed=1&log=1`;
			const { page } = await open({ search });
			await whenShown(page);

			await assertPainted(page, "style=viridis&ramp=magma&range=0.05,0.5&reversed=true&logarithmic=true");
			assert.equal(await numberInput(page, "low").inputValue(), "0.05");
			assert.equal(
				await page.getByRole("button", { name: "Reversed", includeHidden: true }).getAttribute("aria-pressed"),
				"true",
			);
		},
	],
	[
		"16 a link with one end, or with ends that are none, is taken as far as it goes",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}&max=0.4` });
			await whenShown(page);
			await assertPainted(page, "range=-0.08,0.4");

			const other = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}&min=0.8&max=0.4&log=1` });
			await whenShown(other.page);
			await assertPainted(other.page, "");
			await whenNotice(other.page, /ignored\. The first number must be less/);
			await whenNotice(other.page, /starts above 0/);
		},
	],
	[
		"16 where there is no value the map is transparent, and flags have their colours",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-01-06&view=${VIEW}&ramp=plasma` });
			await whenShown(page);
			const cloudy = Array.from({ length: 200 }, (_, step) => ({ row: CELL.row, column: CELL.column + step })).find(
				({ row, column }) => isCloud(1, row, column),
			);
			assert.ok(cloudy);
			await whenDrawn(page, cloudy, [0, 0, 0, 0], "a cloud");
		},
	],
	[
		"16 ticks lie where their values are, on plain and logarithmic scales",
		async ({ open }) => {
			for (const [query, low, high, isLog] of /** @type {const} */ ([
				["", -0.08, 0.92, false],
				["&min=0.004&max=0.9&log=1", 0.004, 0.9, true],
			])) {
				const { page } = await open({ search: `?layer=ndvi&date=2019-01-01&view=${VIEW}${query}` });
				await whenShown(page);
				await page.locator(".legend-ticks span").first().waitFor();
				const {
					ticks,
					handles: [from, to],
				} = await readScale(page);
				assert.ok(ticks.length >= 3, `${ticks.length} ticks`);
				for (const { value, middle } of ticks) {
					const share = isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
					assert.ok(Math.abs(middle - (from + share * (to - from))) < 1.5, `${value} at ${middle}`);
				}
			}
		},
	],
	[
		"labels of legends do not run into each other",
		async ({ open }) => {
			const { page } = await open();
			await whenShown(page);
			for (const id of ["ndvi", "lai16", "fapar_float", "flagged", "long"]) {
				await chooseLayer(page, id);
				await page.locator(`#layer-list`).waitFor({ state: "hidden" });
				await page.locator("#legend-body[data-kind=ramp] .legend-ticks span").first().waitFor();
				const { ticks } = await readScale(page);
				const crossing = ticks.findIndex(({ left }, index) => index > 0 && left < ticks[index - 1].right);
				assert.equal(crossing, -1, `label ${crossing} of ${id}`);
			}
		},
	],
	[
		"the legend shows half transparent colours as the map does: over the ground",
		async ({ open }) => {
			const { page } = await open({
				search: `?layer=ndvi&view=${VIEW}&overlay=false`,
				routes: {
					"/legend\\.json": answerJson({
						title: "x",
						units: null,
						type: "classes",
						classes: [{ value: 1, color: "#00000000", label: "as the ground" }],
						flags: [{ name: "cloud", color: "#ffffffb3" }],
					}),
				},
			});
			await whenShown(page);
			await page.locator("#ground-button").click();
			for (const [id, ground, cloud] of [
				["NaturalEarth", 0xf3, 251],
				["NaturalEarth_Dark", 0x2b, 191],
				["None", 0xff, 255],
			]) {
				await page.locator("#background").selectOption(String(id));
				const drawn = [
					await drawnColours(page, "#legend-body :has(> :text('ground')) .swatch", 4),
					await drawnColours(page, "#legend-body li:has-text('cloud') .swatch", 4),
				];
				assert.deepEqual(
					drawn.map((colours) => colours.length),
					[1, 1],
					"a pattern shows through",
				);
				const reds = drawn.map(([colour]) => Number(colour.split(",")[0]));
				assert.ok(Math.abs(reds[0] - Number(ground)) <= 1 && Math.abs(reds[1] - Number(cloud)) <= 1, `${id}: ${reds}`);
			}
		},
	],
	[
		"classes have their names, and can be left out one by one",
		async ({ open, outDir }) => {
			const cell = { row: 100, column: 100 };
			const { page, requests } = await open({ search: `?layer=classes&date=2019-01-01&view=${viewOf(cell)}` });
			await whenShown(page);
			const value = valueAt("classes", 0, cell);
			const legend = await (await fetch(new URL("../tiles/classes/legend.json", page.url()))).json();
			const { label } = legend.classes.find((/** @type {any} */ each) => each.value === value);
			const drawn = await drawnAt(page, CELL);
			assert.equal(drawn[3], 255);
			const before = dataRequests(requests).length;
			await page.screenshot({ path: join(outDir, "legend-classes.png") });
			await page.getByRole("checkbox", { name: label, exact: true }).uncheck();
			await whenDrawn(page, CELL, [0, 0, 0, 0], "the class that is left out");

			assert.equal(dataRequests(requests).length, before, "the viewer asked for data");
			await page.getByRole("checkbox", { name: label, exact: true }).check();
			await whenDrawn(page, CELL, drawn, "the class that is there again");
		},
	],
	[
		"a composite says which colour is which variable",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=rgb" });
			await whenShown(page);

			const chips = page.locator("#legend-body[data-kind=composite] .legend-chips li");
			await chips.nth(2).waitFor();
			assert.equal(await chips.count(), 3);
			assert.equal(await page.locator("#legend-body .legend-scale").count(), 0);
		},
	],
	[
		"names of layers and styles are to be read whole, however long",
		async ({ open, outDir }) => {
			const layers = (await (await fetch(new URL("layers", (await open()).page.url().replace(/viewer.*/, "")))).json())
				.layers;
			const layer = layers.find((/** @type {any} */ each) => each.id === "ndvi");
			const long = { id: "long", title: "Leaf area index: pale yellow to dark blue-green, for those who see no red" };
			const title = "A layer whose name is far too long for the list in which it stands, and which goes on and on";
			const { page } = await open({
				allowed: FAILED_REQUEST,
				routes: { "/layers$": answerJson({ layers: [{ ...layer, title, styles: [layer.styles[0], long] }] }) },
			});
			await page.locator("#layer").getByText(title, { exact: true }).waitFor();
			const name = page.locator("#layer .layer-name");
			assert.ok(await name.evaluate((element) => element.scrollWidth <= element.clientWidth), "the name is cut off");
			await openPalettes(page);
			await page.getByRole("option", { name: long.title }).click();
			await page.locator("#palette-a[data-value=long]").waitFor();
			assert.equal(await page.locator("#palette-a").getAttribute("title"), long.title);
			await page.screenshot({ path: join(outDir, "long-names.png") });
		},
	],
	[
		"layers are listed by collection, found by a filter and chosen by keys",
		async ({ open, outDir }) => {
			const { page } = await open();
			await whenShown(page);
			await page.locator("#layer").press("Enter");
			await page.screenshot({ path: join(outDir, "legend-layers.png") });
			await page.keyboard.type("16 bits");
			await page.locator(".layer-choice").nth(0).getByText("LAI of 16 bits").waitFor();
			assert.equal(await page.locator(".layer-choice").count(), 1);
			await page.keyboard.press("ArrowDown");
			await page.keyboard.press("Enter");
			await whenLinkSays(page, "layer", "lai16");

			await whenFocused(page, "layer");
			assert.ok(await page.locator("#layer-list").isHidden());
		},
	],
	[
		"layers are shown together, below and above, as a link says and keeps",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-03-02&view=${VIEW}&layers=fapar_float:0.5,ndvi:1` });
			await whenShown(page);
			await page.locator(".extra-name").getByText("FAPAR of floats").waitFor();
			const whenNamed = (/** @type {string[]} */ ...wanted) =>
				until(page, async () => isDeepStrictEqual(await page.locator(".extra .extra-name").allTextContents(), wanted));
			await whenNamed("NDVI of 2019", "FAPAR of floats");
			await page.locator(".extra").getByText("Shown for 25 February 2019, the latest earlier date").waitFor();
			await page.locator("#layer").click();
			await page.getByRole("button", { name: "Show LAI of 16 bits with the others" }).click();
			await whenLinkSays(page, "layers", "fapar_float:0.5,ndvi:1,lai16:1");
			await page.getByRole("button", { name: "Move FAPAR of floats up" }).click();
			await whenLinkSays(page, "layers", "ndvi:1,fapar_float:0.5,lai16:1");
			await page.getByRole("slider", { name: "Opacity of LAI of 16 bits" }).fill("30");
			await whenLinkSays(page, "layers", "ndvi:1,fapar_float:0.5,lai16:0.3");
			await page.screenshot({ path: join(outDir, "legend-extras.png") });
			/** @type {number[][]} */
			let panes = [];
			const areThere = async () => {
				panes = await page
					.locator("[class*=leaflet-extra]")
					.evaluateAll((all) =>
						all.map((pane) => [Number(getComputedStyle(pane).zIndex), pane.querySelectorAll("canvas").length]),
					);
				return panes.length === 2 && panes.every(([height, tiles]) => height > 200 && height < 350 && tiles > 0);
			};
			await until(page, areThere, () => panes.join(" | "));
			await page.getByRole("button", { name: "Hide FAPAR of floats" }).click();
			await whenLinkSays(page, "layers", "ndvi:1,lai16:0.3");
			await page.getByRole("button", { name: "Remove LAI of 16 bits" }).click();
			await whenLinkSays(page, "layers", null);
			await until(page, async () => (await page.locator("[class*=leaflet-extra]").count()) === 1);
			await page.getByRole("button", { name: "Hide FAPAR of floats" }).click();
			await page.locator(".extra").getByRole("button", { name: "FAPAR of floats", exact: true }).click();
			await whenLinkSays(page, "layer", "fapar_float");
			await whenNamed("NDVI of 2019", "FAPAR of floats");
		},
	],
	[
		"a layer whose numbers stay on the server is coloured by it, when the hand rests",
		async ({ open, base }) => {
			const { layers } = await (await fetch(new URL("layers", base))).json();
			const plain = layers.map((/** @type {any} */ each) => ({
				...each,
				links: each.links.filter((/** @type {any} */ { rel }) => rel !== "cubes"),
			}));
			const { page, requests } = await open({
				search: `?layer=ndvi&date=2019-01-01&view=${VIEW}`,
				routes: { "/layers$": answerJson({ layers: plain }) },
			});
			await whenShown(page);
			await page.locator("#legend-body[data-kind=ramp]").waitFor();
			assert.ok(await page.getByRole("button", { name: "Fit to the values on the map" }).isDisabled());
			// Pictures of the next dates are loaded after the visible ones, in the same colours.
			const AHEAD = 4;
			const datesAsked = () => new Set(dataRequests(requests).map((url) => new URL(url).searchParams.get("datetime")));
			await until(page, () => datesAsked().size > AHEAD);
			await whenAtRest(page);
			const before = dataRequests(requests).length;
			const low = page.getByRole("slider", { name: "Lower end of the colours" });
			await low.focus();
			for (let step = 0; step < 10; step++) await low.press("ArrowRight");
			await page.locator("#palette-a").click();
			await page.getByRole("button", { name: "Reversed" }).click();
			await whenLinkSays(page, "reversed", "1");
			const typed = await numberInput(page, "low").inputValue();
			await page.waitForFunction(
				(range) => {
					const images = /** @type {HTMLImageElement[]} */ ([...document.querySelectorAll(".data-tiles img")]);
					return images.length > 0 && images.every(({ complete, src }) => complete && src.includes(range));
				},
				`range=${encodeURIComponent(`${typed},0.92`)}&reversed=true`,
			);

			const asked = dataRequests(requests).slice(before);
			assert.ok(asked.length > 0 && asked.every((url) => /\.png\?.*range=/.test(url)), asked.join(" "));
		},
	],
	[
		"a legend that cannot be loaded says why, and can be asked for again",
		async ({ open }) => {
			let isBroken = true;
			const { page } = await open({
				search: `?layer=ndvi&date=2019-01-01&view=${VIEW}`,
				allowed: FAILED_REQUEST,
				routes: {
					"/legend\\.json": (route) =>
						isBroken ? route.fulfill({ status: 503, body: '{"detail": "No colours now."}' }) : route.fallback(),
				},
			});
			await page.locator("#legend-body").getByText("No legend: The server says: No colours now.").waitFor();
			isBroken = false;
			await page.locator("#notices").getByRole("button", { name: "Try again" }).click();
			await page.locator("#legend-body[data-kind=ramp]").waitFor();

			await whenNoNotices(page);
			await assertPainted(page, "");
		},
	],
	[
		"what is known of a layer is told, with its addresses",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await page.getByRole("button", { name: "About this layer" }).click();
			const dialog = page.getByRole("dialog", { name: "NDVI of 2019" });
			await dialog.getByText("73 dates").waitFor();
			await page.screenshot({ path: join(outDir, "legend-info.png") });

			const links = await dialog.locator("a").evaluateAll((all) => all.map((link) => /** @type {any} */ (link).href));
			assert.ok(links.some((href) => /\/wms\?.*GetCapabilities/.test(href)));
			const answers = await Promise.all(links.map(async (href) => (await fetch(href)).status));
			assert.ok(
				answers.every((status) => status === 200),
				answers.join(),
			);
			await page.keyboard.press("Escape");
			await whenFocused(page, "info-button");
		},
	],
	[
		"16 colours that there are not are told and left out",
		async ({ open }) => {
			const search = `?layer=ndvi&date=2019-01-01&view=${VIEW}&ramp=nope`;
			const { page } = await open({ search, allowed: FAILED_REQUEST });
			await page.locator("#notices").getByText("Colours nope do not exist").waitFor();
			await whenShown(page);
			await assertPainted(page, "");
			await whenLinkSays(page, "ramp", null);
			assert.equal((await noticeTexts(page)).length, 1);
		},
	],
	[
		"axe finds nothing wrong in the panel, with its lists open, light and dark",
		async ({ open }) => {
			for (const scheme of /** @type {("light" | "dark")[]} */ (["light", "dark"])) {
				const { page } = await open({ search: `?layer=flagged&layers=flagged:1,ndvi:0.5&min=0.1&max=0.6`, scheme });
				await whenShown(page);
				await page.locator(".extra").nth(1).waitFor();
				assert.deepEqual(await brokenRules(page), [], scheme);
				await page.locator("#layer").click();
				assert.deepEqual(await brokenRules(page), [], `${scheme}, layers`);
				await page.keyboard.press("Escape");
				await openPalettes(page);
				assert.deepEqual(await brokenRules(page), [], `${scheme}, colours`);
			}
		},
	],
]);
