// Starts the console.
import { mount } from "svelte";
import App from "./App.svelte";
import "./theme.css";
import "./theme.svelte.ts";

mount(App, { target: document.getElementById("app")! });
