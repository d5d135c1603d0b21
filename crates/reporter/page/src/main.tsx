// The page's one script: waits for `data.js`, then draws the view for its kind of data.
import { render } from "solid-js/web";
import { App } from "./App";
import { listenToKeys } from "./keymap";
import { listen } from "./load";
import { startTheme } from "./theme";
import "./style/index.css";

listen();
listenToKeys();
startTheme();
render(() => <App />, document.getElementById("app")!);
