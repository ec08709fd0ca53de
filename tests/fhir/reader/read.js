// Two readers of FHIR that aren't ours: does one accept these resources, and what does the other
// make of a questionnaire's own calculations on a response? A line of JSON in, a line out.
const { Fhir } = require("fhir");
const fhirpath = require("fhirpath");
const r4 = require("fhirpath/fhir-context/r4");

const CALCULATED =
  "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression";
const VARIABLE = "http://hl7.org/fhir/StructureDefinition/variable";

function* walk(items) {
  for (const item of items || []) {
    yield item;
    yield* walk(item.item);
  }
}

function score(questionnaire, response) {
  const found = {};
  for (const item of walk(questionnaire.item)) {
    const said = (item.extension || []).filter((e) => e.valueExpression);
    const calculated = said.find((e) => e.url === CALCULATED);
    if (!calculated) continue;
    const known = { resource: response, questionnaire };
    for (const e of said.filter((e) => e.url === VARIABLE)) {
      known[e.valueExpression.name] = fhirpath.evaluate(
        response, e.valueExpression.expression, known, r4);
    }
    found[item.linkId] = fhirpath.evaluate(
      response, calculated.valueExpression.expression, known, r4);
  }
  return found;
}

const validator = new Fhir();
require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const asked = JSON.parse(line);
    const read = asked.resources.map((resource) => {
      const result = validator.validate(resource, { errorOnUnexpected: true });
      const grave = result.messages.filter(
        (m) => m.severity === "error" || m.severity === "fatal");
      return { valid: result.valid, errors: grave.map((m) => `${m.location}: ${m.message}`) };
    });
    const scored = asked.scored.map(([form, response]) => score(form, response));
    process.stdout.write(JSON.stringify({ read, scored }) + "\n");
  });
