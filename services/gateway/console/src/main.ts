// Starts the console.
import { mount } from "svelte";
import App from "./App.svelte";
import { router } from "./router.svelte.ts";
import "./theme.css";
import "./theme.svelte.ts";

void router.place.page?.load(); // while the gateway is asked who this is
mount(App, { target: document.getElementById("app")! });
