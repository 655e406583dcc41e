// Starts AWS's runtime client, version 3, which is a library; version 4 starts itself.
import { run } from "./index.mjs";

await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
