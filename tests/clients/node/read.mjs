// What two npm clients read from a page: node read.mjs http://127.0.0.1:8000, JSON on standard output.
import RssParser from "rss-parser";
import { Statuspage } from "statuspage.io";

const url = process.argv[2];
const client = new Statuspage("unused");
client.setApiUrl(url); // its own setting for another host

const feed = async (path) => {
  const { title, items } = await new RssParser({ customFields: { item: ["maintenanceEndDate"] } }).parseURL(url + path);
  return { title, items: items.map((item) => ({ title: item.title, link: item.link, date: item.isoDate, end: item.maintenanceEndDate, content: item.content })) };
};

console.log(JSON.stringify({
  status: await client.api.getStatus(),
  summary: await client.api.getSummary(),
  components: await client.api.getComponents(),
  incidents: await client.api.incidents.getAll(),
  unresolved: await client.api.incidents.getUnresolved(),
  maintenances: await client.api.scheduledMaintenances.getAll(),
  upcoming: await client.api.scheduledMaintenances.getUpcoming(),
  rss: await feed("/history.rss?dates=statuspage"),
  atom: await feed("/history.atom?dates=statuspage"),
}));
