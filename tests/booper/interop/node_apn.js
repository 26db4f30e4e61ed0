// Sends through @parse/node-apn, unchanged, and prints what that made of the answers.
// Reads one JSON object from standard input: provider (node-apn's own options), topic, pushes
// (each: device, and what to set on the notification).
"use strict";

const apn = require("@parse/node-apn");

async function main() {
  const wanted = JSON.parse(require("node:fs").readFileSync(0, "utf-8"));
  const provider = new apn.Provider(wanted.provider);
  const results = await Promise.all(
    wanted.pushes.map(({ device, ...fields }) => {
      const note = new apn.Notification();
      Object.assign(note, { topic: wanted.topic, ...fields });
      return provider.send(note, device);
    }),
  );
  await provider.shutdown();
  const failed = results.flatMap((result) => result.failed);
  return {
    sent: results.reduce((sum, result) => sum + result.sent.length, 0),
    failed: failed.map((one) => ({
      status: one.status ?? null,
      reason: one.response?.reason ?? String(one.error),
      timestamp: one.response?.timestamp ?? null,
    })),
  };
}

main().then(
  (report) => process.stdout.write(JSON.stringify(report)),
  (error) => {
    process.stderr.write(String(error?.stack ?? error));
    process.exitCode = 1;
  },
);
