import assert from "node:assert/strict";
import { test } from "node:test";
import { unitText } from "../../../viewer/base/units.js";

for (const [units, words] of /** @type {[string | null, string][]} */ ([
	[null, ""],
	["1", ""],
	["", ""],
	["K", "K"],
	["mg m^-3", "mg m⁻³"],
	["W m-2 sr-1", "W m⁻² sr⁻¹"],
	["m**2/s**2", "m²/s²"],
	["kg.m-2.s-1", "kg.m⁻².s⁻¹"],
	["m2 m-2", "m² m⁻²"],
	["km2", "km²"],
	["ha^10", "ha¹⁰"],
	["µg m^+2", "µg m²"],
	["°C", "°C"],
	["1e-3", "1e-3"],
	["CO2 ppm", "CO2 ppm"],
	["mol-1", "mol⁻¹"],
	["Sentinel-2", "Sentinel-2"],
	["0-100", "0-100"],
])) {
	test(`the unit ${units} is written ${words || "not at all"}`, () => {
		assert.equal(unitText(units), words);
	});
}
