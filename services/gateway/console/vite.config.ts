// Builds the page into the gateway's package; `npm run dev` serves it from here, over a running gateway.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const gateway = process.env["GYRE_GATEWAY_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "../src/gyre_gateway/static",
    emptyOutDir: true,
    rolldownOptions: { input: ["index.html", "docs.html"] },
    // The content-security policy lets no script stand in the page, and no font or picture in a script.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  server: {
    host: "127.0.0.1",
    // The host stays, or the gateway would take the page for one of another origin.
    proxy: Object.fromEntries(
      ["/v1", "/session"].map((path) => [path, { target: gateway, changeOrigin: false }]),
    ),
  },
});
