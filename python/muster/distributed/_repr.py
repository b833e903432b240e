"""How clusters and clients look, as text and as HTML."""

import html

from muster._base.units import format_bytes


def _totals(info):
    workers = info["workers"].values()
    return len(workers), sum(w["nthreads"] for w in workers), format_bytes(sum(w["memory_limit"] for w in workers))


def cluster_text(cluster):
    """LocalCluster(...) in one line."""
    if cluster.status != "running":
        return f"LocalCluster({cluster.name!r}, status={cluster.status})"
    workers, threads, memory = _totals(cluster.scheduler_info)
    return f"LocalCluster({cluster.name!r}, {cluster.scheduler_address!r}, workers={workers}, threads={threads}, memory={memory})"


def client_text(client):
    """<Client: ...> in one line."""
    if client.status != "running":
        return "<Client: No scheduler connected>"
    info = client.scheduler_info()
    workers, threads, memory = _totals(info)
    dashboard = f" dashboard={info['dashboard']!r}" if info.get("dashboard") else ""
    return f"<Client: {client.scheduler_address!r} processes={workers} threads={threads}, memory={memory}{dashboard}>"


def _table(rows):
    return "<table>" + "".join(f"<tr><th style='text-align:left'>{html.escape(k)}</th><td style='text-align:left'>{v}</td></tr>" for k, v in rows) + "</table>"


def _rows(info, address):
    workers, threads, memory = _totals(info)
    link = info.get("dashboard")
    rows = [("Scheduler", html.escape(address))]
    if link:
        rows.append(("Dashboard", f"<a href='{html.escape(link)}' target='_blank'>{html.escape(link)}</a>"))
    return [*rows, ("Workers", workers), ("Total threads", threads), ("Total memory", memory)]


def cluster_html(cluster):
    """A table of a cluster."""
    if cluster.status != "running":
        return f"<pre>{html.escape(cluster_text(cluster))}</pre>"
    info = cluster.scheduler_info
    rows = _rows(info, cluster.scheduler_address)
    for w in info["workers"].values():
        rows.append((f"Worker {w['name']}", f"{w['nthreads']} threads, {format_bytes(w['memory_limit'])}"))
    return f"<h3>{type(cluster).__name__}</h3><p>{html.escape(cluster.name)}</p>" + _table(rows)


def client_html(client):
    """A table of a client."""
    if client.status != "running":
        return f"<pre>{html.escape(client_text(client))}</pre>"
    return f"<h3>Client</h3><p>{html.escape(client.id)}</p>" + _table(_rows(client.scheduler_info(), client.scheduler_address))
