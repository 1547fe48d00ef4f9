// The yardstick: what somebody would write by hand in place of agentlua, and no more. N agents at
// once, each a loop of request, tools, results; no limits, no retries, no permissions, no git.
//
//     node node_loop.mjs COUNT PROMPT FOLDER        (agents in FOLDER/1, FOLDER/2, …)

import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const [count, prompt, folder] = process.argv.slice(2);

const text = { type: "string" };
const tool = (name, description, ...names) => ({
  name,
  description,
  input_schema: {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, text])),
    required: names,
  },
});
const tools = [
  tool("Read", "Reads a file.", "file_path"),
  tool("Edit", "Replaces a text in a file.", "file_path", "old_string", "new_string"),
  tool("Bash", "Runs a command.", "command"),
];

function bash(command, cwd) {
  return new Promise((done, fail) => {
    const child = spawn("bash", ["-c", command], { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("error", fail);
    child.on("close", (code) => done(code === 0 ? output || "(no output)" : `exit code ${code}\n${output}`));
  });
}

async function call(name, input, cwd) {
  if (name === "Bash") return bash(input.command, cwd);
  const path = resolve(cwd, input.file_path);
  const content = await readFile(path, "utf8");
  if (name === "Read") {
    const lines = content.replace(/\n$/, "").split("\n");
    return lines.map((line, index) => `${String(index + 1).padStart(6)}\t${line}`).join("\n");
  }
  if (content.split(input.old_string).length !== 2) throw new Error("old_string must occur once");
  await writeFile(path, content.replace(input.old_string, () => input.new_string));
  return "edited";
}

// Reads the stream of one answer and puts its blocks together.
async function ask(messages) {
  const response = await fetch(`${process.env.ANTHROPIC_BASE_URL}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-api-key": process.env.ANTHROPIC_API_KEY,
      "anthropic-version": "2023-06-01",
    },
    body: JSON.stringify({
      model: "claude-standin",
      max_tokens: 32000,
      stream: true,
      system: "You are a coding agent.",
      tools,
      messages,
    }),
  });
  if (!response.ok) throw new Error(await response.text());
  const blocks = [];
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ")) continue;
      const event = JSON.parse(line.slice(6));
      if (event.type === "content_block_start") {
        blocks[event.index] = { ...event.content_block, json: "" };
      } else if (event.type === "content_block_delta") {
        const block = blocks[event.index];
        if (event.delta.type === "text_delta") block.text += event.delta.text;
        else if (event.delta.type === "input_json_delta") block.json += event.delta.partial_json;
      }
    }
  }
  return blocks.map(({ json, ...block }) =>
    block.type === "tool_use" ? { ...block, input: JSON.parse(json || "{}") } : block,
  );
}

async function agent(cwd) {
  const messages = [{ role: "user", content: prompt }];
  for (;;) {
    const content = await ask(messages);
    messages.push({ role: "assistant", content });
    const calls = content.filter((block) => block.type === "tool_use");
    if (calls.length === 0) return content.map((block) => block.text).join("");
    const results = [];
    for (const { id, name, input } of calls) {
      results.push({ type: "tool_result", tool_use_id: id, content: await call(name, input, cwd) });
    }
    messages.push({ role: "user", content: results });
  }
}

const folders = Array.from({ length: Number(count) }, (_, index) => join(folder, `${index + 1}`));
const results = await Promise.all(folders.map(agent));
const failed = results.find((result) => result.includes("FAILED"));
if (failed) throw new Error(failed);
console.log(`done ${results.length}`);
