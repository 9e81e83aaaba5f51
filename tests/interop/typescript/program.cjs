// An executor of the TypeScript library and its client, told what to do by lines of JSON:
// a line is [verb, ...arguments], the answer [status, value].
"use strict";

const { createRequire } = require("node:module");
const readline = require("node:readline");

const sdk = createRequire(process.env.SDK_FOLDER + "/package.json");
const { DBOS, DBOSClient } = sdk("@dbos-inc/dbos-sdk");
const url = process.env.SYSTEM_URL;

async function greet(name, options) {
  const greeting = await DBOS.runStep(async () => `hello ${name}`, { name: "compose" });
  await DBOS.setEvent("greeted", { name, options });
  await DBOS.writeStream("words", greeting);
  return { greeting, options };
}

async function fail(words) {
  throw new Error(words);
}

const native = DBOS.registerWorkflow(greet, { name: "greet" });
// A function may be registered once only.
const portable = { serialization: "portable" };
DBOS.registerWorkflow((...args) => greet(...args), { name: "greet_portable", ...portable });
DBOS.registerWorkflow(fail, { name: "fail_portable", ...portable });

let client;
const verbs = {
  run: async (workflowID, ...args) =>
    (await DBOS.startWorkflow(native, { workflowID })(...args)).getResult(),
  enqueue: async (options, positional, named) =>
    (await client.enqueuePortable(options, positional, named)).workflowID,
  result: (workflowID) => client.retrieveWorkflow(workflowID).getResult(),
  event: (workflowID, key) => client.getEvent(workflowID, key, 20),
  send: (workflowID, message, topic) =>
    client.send(workflowID, message, topic, undefined, { serializationType: "portable" }),
};

function tell(values) {
  process.stdout.write(JSON.stringify(values) + "\n");
}

async function main() {
  DBOS.setConfig({
    name: "typescript-shop",
    systemDatabaseUrl: url,
    applicationVersion: "ts1",
    runAdminServer: false,
    logLevel: "error",
  });
  await DBOS.launch();
  await DBOS.registerQueue("typescript-queue");
  client = await DBOSClient.create({ systemDatabaseUrl: url });
  tell(["READY", "typescript"]);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, ...args] = JSON.parse(line);
    try {
      tell(["OK", (await verbs[verb](...args)) ?? null]);
    } catch (error) {
      tell([error.name, error.message]);
    }
  }
  await client.destroy();
  await DBOS.shutdown();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
