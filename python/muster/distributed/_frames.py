"""DataFrames on a cluster: queries that run beside the program, in threads that wait for them, and futures of their results and partitions."""

import contextlib
import threading
import time
import weakref

from muster import _core
from muster._base import context, registry
from muster._base.placing import options_of
from muster._base.serialize import dumps_error, dumps_simple
from muster._base.tasks import Input
from muster._base.tokenize import tokenize
from muster._collections import running
from muster._collections.expressions import finish_of, inputs_first, together
from muster.distributed import _submit


class Frames:
    """The part of a Client that knows of DataFrames."""

    def compute_exprs(self, exprs):
        """Compute DataFrames' expressions and bring the results; what `muster.compute` calls."""
        self._check_open()
        with context.sending(Needed(self)):
            return running._run(_core.compute, exprs, 0, self._core, self._placing())

    def persist_exprs(self, exprs):
        """Return expressions over what others will be: their partitions stay on the workers."""
        self._check_open()
        made, outcomes, tasks, results = [], [], [], Needed(self)
        for e in exprs:
            task = self._core.promise(f"persist-{e.op}", False)
            with self._lock:
                key = f"persist-{e.name}-{task:x}"
                self._register(task, key)
                leaf, outcome = _core.pending(e, (self._handle(key), results))
            made.append(leaf)
            outcomes.append(outcome)
            tasks.append(task)
        Query(self, exprs, tasks, results, outcomes=outcomes).begin()
        return made

    def _placing(self):
        return options_of(context.active_annotations())

    def _frame_futures(self, collections, functions=None):
        """Return futures of the pandas objects that DataFrames are, computed in the background, each for a function that may have something to do before, `begin()`, and if that fails, `give_up()`."""
        self._check_open()
        out, fresh = [], []
        with self._lock:
            for c, function in zip(collections, functions or [None] * len(collections), strict=True):
                finish = finish_of(c)
                key = f"{c._name}-{tokenize(finish)}" if finish else c._name
                if not self._alive(key):
                    task = self._core.promise(c._expr.op, True)
                    self._register(task, key)
                    fresh.append((c._expr, task, finish, function))
                out.append(self._handle(key))
        self._begin(fresh)
        return out

    def _begin(self, wanted):
        if not wanted:
            return
        exprs, tasks, finishes, functions = zip(*wanted, strict=True)
        results = Needed(self)
        self._made_of.update({task: (expr, finish, function, results) for expr, task, finish, function in wanted})
        query = Query(self, exprs, tasks, results, finishes=finishes, functions=functions)
        try:
            for f in functions:
                if hasattr(f, "begin"):
                    f.begin()
        except BaseException as error:
            query.refuse(error)
            raise
        query.begin()

    def _ask_again(self, tasks):
        """Begin queries again that have failed; those whose last call failed run that again without us."""
        refused = [t for t in tasks if t in self._refused and t in self._made_of]
        self._refused.difference_update(refused)
        self._begin([(self._made_of[t][0], t, *self._made_of[t][1:3]) for t in refused])

    def partitions_of(self, frame):
        """Return futures of the persisted partitions that a DataFrame is made of; while these are being made, one for all."""
        out = []
        for node in inputs_first([frame._expr]):
            if node.op != "from_tasks":
                continue
            try:
                tasks = _core.tasks_of(node)
            except Exception:  # what it was made of failed: its future says of what
                tasks = []
            if not tasks and "pending" in node.args:
                out.append(node.args["holder"].value[0])
            described = _core.described(node) if tasks else None
            with self._lock:
                for i, task in enumerate(tasks):
                    out.append(self._adopt(task, f"('{node.name}', {i})"))
                    self._described[task] = described
        return out

    def _as_object(self, task):
        """Return the id of the task that makes a pandas object of a partition, for tasks that take it."""
        with self._lock:
            made = self._objects.get(task)
            if made is None:
                key = f"{self._ids[task]}-pandas"
                self._register(self._core.submit([_together(self._described[task], None, [task])], False), key)
                made = self._objects[task] = self._handle(key)
            return made._id

    def _drop_frames(self, task):
        self._made_of.pop(task, None)
        self._refused.discard(task)
        self._described.pop(task, None)
        self._objects.pop(task, None)


class Needed:
    """Values that the functions of a query need: computed on the cluster before it, and there as long as this lives."""

    def __init__(self, client):
        self.client, self.futures = weakref.proxy(client), []

    def frame(self, collection):
        """Return a future of a DataFrame's value, which is there."""
        return self._there(self.client._frame_futures([collection]))[0]

    def tasks(self, nodes):
        """Return the ids of tasks that make the values of nodes, begun if need be."""
        futures = self.client._submit_nodes(list(nodes))
        self.futures += futures
        return [self.client._input(f) for f in futures]

    def _there(self, futures):
        try:
            self.client._wait_all_or_error(futures)
        except Exception as error:
            raise context.NotMade from error
        self.futures += futures
        return futures


class Query(threading.Thread):
    """Waits for a query of a client's: plans it, plans it again where a source is other than its sample, and then says what it has promised."""

    def __init__(self, client, exprs, tasks, results, finishes=None, outcomes=None, functions=()):
        super().__init__(name="muster-query", daemon=True)
        self.client, self.exprs, self.tasks, self.results, self.finishes, self.outcomes, self.functions = client, exprs, tasks, results, finishes, outcomes, functions
        self.open = dict(enumerate(exprs))  # those that nothing was told of
        self.placing = client._placing()
        self.asked = 0.0  # when the scheduler was asked whether tasks still wait

    def begin(self):
        """Start the thread; the client ends it with itself."""
        self.client._queries.add(self)
        self.start()

    def run(self):
        """Compute, and give futures and expressions their results, or the error."""
        try:
            self.answer()
        except BaseException as error:
            self.refuse(error)
        finally:
            self.client._queries.discard(self)
            del self.client, self.exprs, self.open, self.results, self.outcomes, self.functions

    def answer(self):
        core = self.client._core
        _core.set_memory_limit(running.memory_limit())
        with context.sending(self.results):
            if self.outcomes is None:
                return self.answer_each()
            made = running._planned_again(lambda exprs: _core.persist(exprs, 0, self.tick, core, self.placing), list(self.exprs))
        for task, outcome, expr in zip(self.tasks, self.outcomes, made, strict=True):
            _core.settle(outcome, expr)
            core.bind(task, _call(_nothing, (), []))

    def answer_each(self):
        """Bind each task as soon as the partitions of its own expression are there; what fails refuses its own task."""
        core = self.client._core
        while self.open:
            numbers = list(self.open)

            def told(place, expr, error, numbers=numbers):
                n = numbers[place]
                if error is None:
                    core.bind(self.tasks[n], _together(_core.described(expr), self.finishes[n], _core.tasks_of(expr), self.placing))
                    del self.open[n]
                elif not self.planned_again([n], error):
                    self.refuse_one(n, error)

            try:
                _core.persist_each([self.open[n] for n in numbers], self.tick, core, self.placing, told)
            except (TypeError, NotImplementedError) as error:
                if not self.planned_again(list(self.open), error):
                    raise

    def planned_again(self, numbers, error):
        if not isinstance(error, (TypeError, NotImplementedError)):
            return False
        made = registry.given("made_again")([self.open[n] for n in numbers])
        if made is not None:
            self.open.update(zip(numbers, made, strict=True))
        return made is not None

    def refuse(self, error):
        for n in list(self.open):
            self.refuse_one(n, error)

    def refuse_one(self, n, error):
        del self.open[n]
        if self.functions and hasattr(self.functions[n], "give_up"):
            with contextlib.suppress(Exception):  # what is there to be told is why the query failed
                self.functions[n].give_up()
        if self.outcomes is not None:
            _core.fail(self.outcomes[n], error)
        self.client._refused.add(self.tasks[n])
        try:
            self.client._core.refuse(self.tasks[n], dumps_error(error))
        except Exception:
            return  # the client has ended

    def tick(self, done, tasks, size):
        """Stop when nobody waits any more: no future of this client, nor a task that was made with one."""
        core = self.client._core
        status = {self.tasks[n]: core.status(self.tasks[n]) for n in self.open}
        if not status or "pending" in status.values():
            return
        given_up = [t for t in status if status[t] == "lost"]
        if given_up and core.connected:
            if time.monotonic() < self.asked + 0.2:
                return
            self.asked = time.monotonic()
            if "waiting" in dict(core.ask("state_of", given_up)).values():
                return
        from muster.distributed._errors import FutureCancelledError

        raise FutureCancelledError("a query", "cancelled")


def _call(function, args, needs, options=None):
    """Return a call of one task, as the engine takes it; placeholders in `args` count the needs."""
    return ([function.__name__], [_submit.function_bytes(function)], [0], [dumps_simple((args, {}))], [0, len(needs)], list(needs), [0], options or {})


def _together(described, finish, tasks, options=None):
    return _call(together, (described, finish, *map(Input, range(len(tasks)))), tasks, options)


def _nothing():
    return None
