// Logs in with tedious, asks for a full, restores it under another name, and prints the lifecycle of the last.
// Usage: tedious.js INSTANCE_AS_JSON true|strict ARN
const fs = require("fs");
const { Connection, Request, TYPES } = require("tedious");

const [instance, encrypt, arn] = [JSON.parse(process.argv[2]), process.argv[3], process.argv[4]];

function connect(password) {
  const connection = new Connection({
    server: "localhost",
    authentication: { type: "default", options: { userName: instance.user, password } },
    options: {
      port: instance.port,
      encrypt: encrypt === "strict" ? "strict" : true,
      cryptoCredentialsDetails: { ca: fs.readFileSync(instance.ca) },
      trustServerCertificate: false,
    },
  });
  return new Promise((resolve, reject) => {
    connection.on("connect", (error) => (error ? reject(error) : resolve(connection)));
    connection.connect();
  });
}

function call(connection, procedure, parameters) {
  return new Promise((resolve, reject) => {
    const rows = [];
    const request = new Request(procedure, (error) => (error ? reject(error) : resolve(rows)));
    for (const [name, value] of Object.entries(parameters)) request.addParameter(name, TYPES.NVarChar, value);
    request.on("row", (columns) => rows.push(Object.fromEntries(columns.map((c) => [c.metadata.colName, c.value]))));
    connection.callProcedure(request);
  });
}

async function main() {
  const refused = await connect("wrong").then(
    () => "nothing",
    (error) => error.message,
  );
  if (!refused.includes("Login failed")) throw new Error(`a wrong password got ${refused}`);
  const connection = await connect(instance.password);
  const restored = `tedious-${encrypt}`;
  await succeeded(connection, "msdb.dbo.rds_backup_database", "tedious", {
    source_db_name: "tedious",
    s3_arn_to_backup_to: arn,
    type: "FULL",
  });
  const last = await succeeded(connection, "msdb.dbo.rds_restore_database", restored, {
    restore_db_name: restored,
    s3_arn_to_restore_from: arn,
  });
  console.log(last);
  connection.close();
}

// Asks for a task and polls until it has ended well.
async function succeeded(connection, procedure, database, parameters) {
  const [asked] = await call(connection, procedure, parameters);
  for (;;) {
    const rows = await call(connection, "msdb.dbo.rds_task_status", { db_name: database });
    const { lifecycle } = rows.find((row) => row.task_id === asked.task_id);
    if (lifecycle === "SUCCESS") return lifecycle;
    if (lifecycle !== "CREATED" && lifecycle !== "IN_PROGRESS") throw new Error(`${procedure} is ${lifecycle}`);
    await new Promise((later) => setTimeout(later, 200));
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
