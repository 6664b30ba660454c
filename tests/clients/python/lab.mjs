/**
 * Runs a notebook of two cells in JupyterLab: `node lab.mjs ADDRESS DATE OUT_DIR`. The first shows the client's map,
 * which is moved to a date, by its index, and clicked in the middle. Prints the text of the second cell, run after that.
 */
import { join } from "node:path";
import { chromium } from "playwright-core";
import { FLAGS, findChromium } from "../../viewer/browser/harness.mjs";
import { countColours } from "../../viewer/browser/own-origin.mjs";
import { until } from "../../viewer/browser/tools.mjs";

/** Colours of a map without data: its background, lines and texts. */
const MIN_COLOURS = 40;

const [address = "", date = "", outDir = "."] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: await findChromium(), args: FLAGS });
try {
	const page = await browser.newPage({ viewport: { width: 1200, height: 1200 } });
	page.setDefaultTimeout(120_000);
	await page.goto(address);
	const cells = page.locator(".jp-Notebook .jp-CodeCell");
	await page.getByText("Python 3 | Idle").waitFor();

	await cells.nth(0).locator(".cm-content").click();
	await page.keyboard.press("Shift+Enter");
	const map = cells.nth(0).locator(".leaflet-container");
	await map.waitFor();
	const slider = cells.nth(0).getByRole("slider", { name: "Date" });
	await slider.dispatchEvent("pointerdown");
	await slider.fill(date);
	await slider.dispatchEvent("pointerup");
	let colours = 0;
	const isDrawn = async () => {
		colours = await countColours(page, map);
		return colours >= MIN_COLOURS;
	};
	await until(page, isDrawn, () => `the map has ${colours} colours`);
	await map.click();
	await page.screenshot({ path: join(outDir, "lab.png") });

	const code = cells.nth(1).locator(".cm-content");
	const output = cells.nth(1).locator(".jp-OutputArea-output");
	/** @type {unknown[]} */
	let state = [];
	// The value of the point arrives after the click.
	const hasValue = async () => {
		await code.click();
		await page.keyboard.press("Control+Enter");
		await output.waitFor();
		state = JSON.parse((await output.textContent())?.match(/\[.*\]/)?.[0] ?? "[]");
		return typeof state[2] === "number";
	};
	await until(page, hasValue, () => `the state of the map in Python: ${JSON.stringify(state)}`);
	process.stdout.write(`${JSON.stringify(state)}\n`);
} finally {
	await browser.close();
}
