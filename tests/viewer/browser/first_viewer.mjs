/**
 * Requirements of the first viewer, in a browser: `node first_viewer.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`.
 *
 * Works against any server with at least one layer of several dates. Writes pictures of its states to OUT_DIR; exits 1
 * when a check fails and says which, 2 when it was called wrongly.
 */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { answerJson, answerStatus, FAILED_REQUEST, runChecks } from "./harness.mjs";
import { linkValue, nextFrame, whenAtRest, whenCounted, whenNoNotices, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Check} Check */
/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("../../../viewer/base/api.js").Layer} Layer */

const [base, outDir, part = ""] = process.argv.slice(2);
if (!base || !outDir) {
	console.error("usage: first_viewer.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]");
	process.exit(2);
}
await mkdir(outDir, { recursive: true });

/** @param {string} path @returns {Promise<any>} */
async function ask(path) {
	const answer = await fetch(new URL(path, base));
	assert.ok(answer.ok, `${path} answered ${answer.status}`);
	return answer.json();
}

const front = await fetch(new URL("viewer/", base));
if (!front.ok) {
	console.error(`${front.url} answered ${front.status}: the viewer is not there`);
	process.exit(1);
}

/** @type {Layer[]} */
const layers = (await ask("layers")).layers;
const dated = layers.filter(({ times }) => times.count > 2);
const [first] = layers;
const layer = dated[0];
assert.ok(layer, "the server needs a layer with several dates");

/** Number of dates that are candidates for the first one, and its fraction of data relative to the fullest date. */
const [LOOKED_AT, CLEAR_SHARE] = [12, 0.8];

/**
 * Returns the first date of a layer: the one that the operator has chosen, if it is not the last one; else the
 * newest clear date, or the clearest.
 * @param {Layer} of @returns {Promise<string>}
 */
async function firstDateOf({ id, times: { default: usual, last } }) {
	await whenCounted(base, id);
	if (usual && usual !== last) return usual;
	/** @type {{ times: string[], valid_shares: number[] }} */
	const { times, valid_shares: shares } = await ask(`layers/${id}/times?limit=1000`);
	const lookedAt = shares.slice(-LOOKED_AT);
	const least = Math.min(CLEAR_SHARE * Math.max(...shares), Math.max(...lookedAt));
	return times.slice(-LOOKED_AT)[lookedAt.findLastIndex((share) => share >= least)];
}

const [west, south, east, north] = layer.bbox;
const [lon, lat] = [(west + east) / 2, (south + north) / 2].map((degrees) => Number(degrees.toFixed(4)));

/** Waits until a part of the layer is on the map. @param {Page} page */
const whenTilesShown = (page) =>
	page.waitForFunction(() =>
		[...document.querySelectorAll(".data-tiles :is(img, canvas).leaflet-tile-loaded")].some((tile) =>
			tile instanceof HTMLImageElement ? tile.naturalWidth > 0 : /** @type {HTMLCanvasElement} */ (tile).width > 1,
		),
	);

/** @type {[string, Check][]} */
const checks = [
	[
		"an empty link shows the first layer at the operator's date or its newest clear one, with title and legend",
		async ({ open }) => {
			const date = await firstDateOf(first);
			const { page } = await open();
			await whenShown(page);

			assert.equal(linkValue(page, "layer"), first.id);
			assert.equal(linkValue(page, "date"), date.slice(0, 10));
			assert.ok((await page.title()).startsWith(first.title));
			assert.equal(await page.locator("#layer .layer-name").textContent(), first.title);
			await page.locator("#legend-body canvas").first().waitFor();
			await whenTilesShown(page);
			await page.screenshot({ path: join(outDir, "desktop.png") });
		},
	],
	[
		"a first load takes thirty requests and 130 kB of scripts, tiles among them",
		async ({ open }) => {
			const { page, requests } = await open();
			await whenShown(page);
			await whenTilesShown(page);
			await page.locator(".strip[data-loaded]").waitFor();

			const all = [...new Set(requests)];
			assert.ok(all.length <= 30, `${all.length} requests: ${all.join(" ")}`);
			const bytes = await page.evaluate(() =>
				/** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType("resource"))
					// Scripts that are loaded at rest may be present already.
					.filter(({ name }) => name.endsWith(".js") && !name.includes("/wanted-"))
					.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
			);
			assert.ok(bytes > 0 && bytes <= 130_000, `${bytes} bytes`);
		},
	],
	[
		"a map that changes its size while it is dragged stays with the pointer",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&view=${lon},${lat},9` });
			await whenShown(page);
			const box = await page.locator("#map").boundingBox();
			assert.ok(box);
			const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
			await page.mouse.move(x, y);
			await page.mouse.down();
			await page.mouse.move(x - 100, y, { steps: 5 });
			await page.setViewportSize({ width: 1280, height: 760 });
			await page.waitForFunction((high) => (document.querySelector("#map")?.clientHeight ?? high) < high, box.height);
			await nextFrame(page);
			await page.mouse.move(x - 200, y, { steps: 5 });
			// After a rest of the pointer before its release, the map does not glide on.
			await page.waitForTimeout(300);
			await page.mouse.up();
			await whenAtRest(page);

			const [movedTo, , zoom] = (linkValue(page, "view") ?? "").split(",").map(Number);
			const moved = ((movedTo - lon) / 360) * 256 * 2 ** zoom;
			assert.ok(zoom === 9 && Math.abs(moved - 200) < 5, `${moved} px`);
		},
	],
	[
		"the chart takes room from the map without zooming it, and the clicked place stays in sight",
		async ({ open }) => {
			for (const { width, place, share, across = 0.6 } of [
				{ width: 1280, place: "", share: 0.55 },
				{ width: 1280, place: `&view=${lon},${lat},12`, share: 0.9 },
				{ width: 1280, place: `&view=${lon},${lat},12`, share: 0.7, across: 0.15 },
				{ width: 390, place: `&view=${lon},${lat},12`, share: 0.9, across: 0.7 },
			]) {
				const { page } = await open({ search: `?layer=${layer.id}${place}`, width, height: 800 });
				await whenShown(page);
				const [, , zoom] = (linkValue(page, "view") ?? "").split(",");
				const before = await page.locator("#map").boundingBox();
				assert.ok(before);
				await page.mouse.click(before.x + before.width * across, before.y + before.height * share);
				await page.locator("#chart .chart-plot .plot-drawing").waitFor();
				await whenAtRest(page, "#map", "#map .leaflet-areas-pane path");

				const after = await page.locator("#map").boundingBox();
				const mark = await page.locator("#map .leaflet-areas-pane path").last().boundingBox();
				assert.ok(after && mark && after.height < before.height, "the chart takes no room");
				const y = mark.y + mark.height / 2;
				assert.ok(y > after.y && y < after.y + after.height, `the place is at ${y} px, out of sight`);
				const isCovered = await page.evaluate(
					([x, y]) => Boolean(document.elementFromPoint(x, y)?.closest(".legend")),
					[mark.x + mark.width / 2, y],
				);
				assert.ok(!isCovered, "the legend covers the place");
				assert.equal((linkValue(page, "view") ?? "").split(",")[2], zoom);
				await page.screenshot({ path: join(outDir, `clicked-${width}-${across}.png`) });

				await page.getByRole("button", { name: /^Close the chart/ }).click();
				await whenAtRest(page, "#map");
				assert.equal((linkValue(page, "view") ?? "").split(",")[2], zoom);
			}
		},
	],
	[
		"a map that shows none of the layer says so and leads back",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=${layer.id}&view=-150,-50,6` });
			await whenShown(page);
			await page.getByText(/has no data in this part of the map/).waitFor();
			await page.locator("#notices").getByRole("button", { name: "Zoom to the layer" }).click();
			await page.locator("#notices li").waitFor({ state: "detached" });
			await whenShown(page);

			await whenTilesShown(page);
		},
	],
	[
		"dates, legend and series that do not load say why; the rest works",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				search: `?layer=${layer.id}&pt=${lon},${lat}`,
				allowed: FAILED_REQUEST,
				routes: {
					"/times": (route) => (isAway ? answerStatus(503, "No dates now.")(route) : route.fallback()),
					"/legend\\.json": answerStatus(500, "No colours now."),
					"/timeseries/": (route) => route.abort(),
				},
			});
			await page.getByText("The dates could not be loaded: The server says: No dates now.").waitFor();
			await page.locator("#legend-body").getByText("No legend: The server says: No colours now.").waitFor();
			await page.getByText(/No values: The server cannot be reached/).waitFor();
			isAway = false;
			await page.locator("#timeline").getByRole("button", { name: "Try again" }).click();
			await whenShown(page);

			// Without a legend the map does not stay empty.
			await whenTilesShown(page);
		},
	],
	[
		"a layer without a default date is shown at its newest clear one",
		async ({ open }) => {
			const undated = { ...layer, times: { ...layer.times, default: null } };
			const date = await firstDateOf(undated);
			const noDefault = answerStatus(400, "The layer has no default time.");
			const { page, requests } = await open({
				search: `?layer=${layer.id}`,
				routes: {
					"/layers$": answerJson({ layers: [undated] }),
					"/tilejson\\.json": (route) =>
						route.request().url().includes("datetime=") ? route.fallback() : noDefault(route),
				},
			});
			await whenShown(page);

			await whenNoNotices(page);
			const asked = requests
				.filter((url) => url.includes(".ctc?"))
				.map((url) => new URL(url).searchParams.get("datetime"));
			assert.deepEqual([...new Set(asked)], [date]);
		},
	],
];

const failed = await runChecks(
	base,
	outDir,
	checks.filter(([name]) => name.includes(part)),
);
console.log(failed === 0 ? "all is well" : `${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
