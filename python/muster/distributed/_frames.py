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
from muster._collections.expressions import finish_of, together
from muster.distributed import _submit
from muster.distributed._errors import FutureCancelledError


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
        """Return futures of the pandas objects that DataFrames are, computed in the background.

        Each is for a function; one that publishes the files of a collection has something to do before, `begin()`, behind, `published()`, and if it fails,
        `give_up()`.
        """
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
            for f in filter(_publishes, functions):
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

    def _partitions(self, node, places):
        """Return futures of these of the partitions that a persisted expression stands for."""
        keys = [f"('{node.name}', {place})" for place in places]
        with self._lock:
            if "holder" in node.args and (found := self._unsettled.get(node.args["holder"].value[0]._id)) is not None:
                for place, key in zip(places, keys, strict=True):
                    if key not in self._keys:
                        self._to_come[key] = coming = found[0].promise("partitions", found[1], place)
                        self._partition_of[key] = None
                        self._register(coming.task, key)
                return [self._handle(key) for key in keys]
            try:
                tasks, described = _core.tasks_of(node), _core.described(node)
                if not tasks:
                    raise FutureCancelledError(node.name, "client closed")
            except Exception as error:  # what it was to be made of failed, or was cancelled
                ended = {key: self._core.promise("persisted", False) for key in keys if key not in self._keys}
                for key, task in ended.items():
                    self._register(task, key)
                    if not isinstance(error, FutureCancelledError):
                        self._core.refuse(task, dumps_error(error))
                if ended and isinstance(error, FutureCancelledError):
                    self._core.cancel(list(ended.values()), False)
                    self._core.wait(list(ended.values()), False, 5.0)
                return [self._handle(key) for key in keys]
            self._partition_of.update(dict.fromkeys(keys, described))
            return [self._adopt(tasks[place], key) for place, key in zip(places, keys, strict=True)]

    def _sendable(self, future):
        """Return the future of the same value for tasks and other processes: of a partition, that of a pandas object that is made of it."""
        key = future.key
        with self._lock:
            if key not in self._partition_of:
                return future
            made = self._objects.get(key)
            if made is None:
                coming = self._to_come.get(key)
                if coming is not None:
                    task = coming.query.promise("objects", coming.number, coming.place).task
                else:
                    task = self._core.submit([_together(self._partition_of[key], None, [future._id])], False)
                self._register(task, f"{key}-pandas")
                made = self._objects[key] = self._handle(f"{key}-pandas")
            return made

    def _settle(self, query, number, expr):
        """Give the futures of partitions that were to come the tasks that have made them."""
        core = self._core
        with self._lock:
            self._unsettled.pop(query.tasks[number], None)
            _core.settle(query.outcomes[number], expr)
            promised = query.promised.pop(number, ())
            tasks, described = (_core.tasks_of(expr), _core.described(expr)) if promised else ((), None)
            for coming in promised:
                made = tasks[coming.place]
                if coming.kind == "objects":
                    core.bind(coming.task, _together(described, None, [made], query.placing))
                    continue
                key = self._no_more_to_come(coming)
                if core.status(coming.task) == "cancelled":
                    continue
                if key is not None:
                    core.want([made])
                    self._keys[key][0] = made
                    self._ids[made] = self._ids.pop(coming.task)
                    self._partition_of[key] = described
                    self._came[key] = coming.task  # somebody may still wait for it under its first number
                    for future in filter(None, (handle() for handle in coming.handles)):
                        future._id = made
                core.bind(coming.task, _call(_nothing, (), [], {"priority": _AT_ONCE}))

    def _no_more_to_come(self, coming):
        """Return the key of the futures that stand for a partition, None if there are none any more; with the client's lock."""
        key = self._ids.get(coming.task)
        self._to_come.pop(key, None)
        self._partition_of.pop(key, None)
        if key is not None and self._keys[key][1] == 0:
            self._forget(coming.task, key)
            return None
        return key

    def _stays_cancelled(self, task, key):
        """Whether it is a partition to come that was cancelled: that is known until its query has ended, whoever holds its future."""
        return key in self._to_come and self._core.status(task) == "cancelled"

    def _made_of_them(self, futures):
        """Return the ids of what is made, or is to be made, of partitions for tasks and other clients; with the client's lock."""
        out = [self._objects[f.key]._id for f in futures if f.key in self._objects]
        for coming in [self._to_come[f.key] for f in futures if f.key in self._to_come]:
            out += [c.task for c in coming.query.promised.get(coming.number, ()) if c.place == coming.place]
        return out

    def _partitions_together(self, expr, finish):
        """Return the value of partitions that are there."""
        futures = [self._adopt(task, f"part-{task:x}") for task in _core.tasks_of(expr)]
        return together(_core.described(expr), finish, *map(self._fetched, futures))

    def _end_unwanted_writes(self):
        """Take back what nobody waits for any more; what is being published is so when this returns."""
        for query in list(self._queries):
            if query.publishes:
                query.give_up()

    def _drop_frames(self, task, key):
        self._made_of.pop(task, None)
        self._refused.discard(task)
        self._partition_of.pop(key, None)
        self._objects.pop(key, None)
        self._to_come.pop(key, None)
        if key in self._came:
            self._core.release(self._came.pop(key))


_AT_ONCE = 1 << 20  # a priority: what somebody waits for takes no time


class Coming:
    """A partition of an expression that a query computes, or the pandas object of one: promised before it is there."""

    def __init__(self, query, kind, number, place, task):
        self.query, self.kind, self.number, self.place, self.task = query, kind, number, place, task
        self.handles = []  # weak references to its futures


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
        self.client, self.exprs, self.tasks, self.results = client, exprs, tasks, results
        self.finishes, self.outcomes, self.functions = finishes, outcomes, functions
        self.publishes = any(map(_publishes, functions))
        self.open = dict(enumerate(exprs))  # those that nothing was told of
        self.promised = {}  # what futures of partitions stand for, by number of the expression
        self.placing = client._placing()
        self.asked = 0.0  # when the scheduler was asked whether tasks still wait
        self.is_given_up = False  # all that was open
        self.lock = threading.RLock()  # of what is told; taken before the client's

    def begin(self):
        """Start the thread; the client ends it with itself."""
        self.client._queries.add(self)
        if self.outcomes is not None:
            self.client._unsettled.update({task: (self, n) for n, task in enumerate(self.tasks)})
        self.start()

    def promise(self, kind, number, place):
        """Promise one of the "partitions" of an expression, or of their "objects"; with the client's lock."""
        coming = Coming(self, kind, number, place, self.client._core.promise("persisted", False))
        self.promised.setdefault(number, []).append(coming)
        return coming

    def run(self):
        """Compute, and give futures and expressions their results, or the error."""
        try:
            self.answer()
        except BaseException as error:
            self.refuse(error)
        finally:
            with self.lock:
                self.client._queries.discard(self)
                self.open = {}
                del self.client, self.exprs, self.results, self.outcomes, self.functions

    def answer(self):
        core = self.client._core
        running.set_memory_limit()
        with context.sending(self.results):
            if self.outcomes is None:
                return self.answer_each()
            made = running._planned_again(lambda exprs: _core.persist(exprs, 0, self.tick, core, self.placing), list(self.exprs))
        self.give_up()  # what was cancelled stays so, also where it was there before that was seen
        for n, expr in enumerate(made):
            if n in self.open:
                self.client._settle(self, n, expr)
                core.bind(self.tasks[n], _call(_nothing, (), []))

    def answer_each(self):
        """Bind each task as soon as the partitions of its own expression are there; what fails refuses its own task."""
        core = self.client._core
        while self.open:
            numbers = list(self.open)

            def told(place, expr, error, numbers=numbers):
                n = numbers[place]
                with self.lock:
                    if n not in self.open:
                        return
                    if error is None:
                        self.bind(n, expr)
                    elif not self.planned_again([n], error):
                        self.refuse_one(n, error)

            try:
                _core.persist_each([self.open[n] for n in numbers], self.tick, core, self.placing, told)
            except (TypeError, NotImplementedError) as error:
                if not self.planned_again(list(self.open), error):
                    raise

    def bind(self, n, expr):
        """Say that a result is what partitions are together. What is to be published first is so here: workers end what they run when nobody wants it."""
        function = self.functions[n]
        call = _together(_core.described(expr), self.finishes[n], _core.tasks_of(expr), self.placing)
        if _publishes(function):
            if not self.waited_for([self.tasks[n]]):
                return self.refuse_one(n, FutureCancelledError("a query", "cancelled"))
            try:
                call = _call(_same, (function.published(self.client._partitions_together(expr, self.finishes[n])),), [])
            except Exception as error:
                return self.refuse_one(n, error)
        self.client._core.bind(self.tasks[n], call)
        del self.open[n]

    def planned_again(self, numbers, error):
        if not isinstance(error, (TypeError, NotImplementedError)):
            return False
        made = registry.given("made_again")([self.open[n] for n in numbers])
        if made is not None:
            self.open.update(zip(numbers, made, strict=True))
        return made is not None

    def refuse(self, error):
        with self.lock:
            for n in list(self.open):
                self.refuse_one(n, error)

    def refuse_one(self, n, error):
        del self.open[n]
        if self.functions and _publishes(self.functions[n]):
            with contextlib.suppress(Exception):  # what is there to be told is why the query failed
                self.functions[n].give_up()
        promised = []
        if self.outcomes is not None:
            with self.client._lock:
                self.client._unsettled.pop(self.tasks[n], None)
                _core.fail(self.outcomes[n], error)
                promised = self.promised.pop(n, [])
                for coming in promised:
                    self.client._no_more_to_come(coming)
        self.client._refused.add(self.tasks[n])
        try:
            told = dumps_error(error)
            for task in (self.tasks[n], *(coming.task for coming in promised)):
                self.client._core.refuse(task, told)
        except Exception:
            return  # the client has ended

    def tick(self, done, tasks, size):
        """Stop when nobody waits any more, no future of this client or another, nor a task that was made with one."""
        if time.monotonic() >= self.asked + 0.2:
            self.give_up()
        if self.is_given_up:
            raise FutureCancelledError("a query", "cancelled")

    def give_up(self):
        """Refuse what nobody waits for any more, since it was dropped or cancelled."""
        with self.lock:
            if not self.open:
                return
            core = self.client._core
            given_up = {}
            for n in self.open:
                promised = tuple(self.promised.get(n, ()))
                if core.status(self.tasks[n]) == "pending" and self.is_cancelled(n, promised):
                    core.cancel([self.tasks[n]], False)
                    core.wait([self.tasks[n]], False, 5.0)
                tasks = [self.tasks[n], *(coming.task for coming in promised)]
                if all(core.status(task) != "pending" for task in tasks):
                    given_up[n] = tasks
            if given_up:
                self.asked = time.monotonic()
                waiting = self.waited_for(sum(given_up.values(), []))
                for n, tasks in given_up.items():
                    if waiting.isdisjoint(tasks):
                        self.refuse_one(n, FutureCancelledError("a query", "cancelled"))
                        self.is_given_up = not self.open

    def waited_for(self, tasks):
        """Return those of tasks that somebody waits for, this client, another or a task."""
        core = self.client._core
        return {task for task, state in dict(core.ask("state_of", tasks)).items() if state == "waiting"} if core.connected else set()

    def is_cancelled(self, n, promised):
        """Whether each partition of an expression was cancelled before it was there."""
        partitions = {coming.place for coming in promised if coming.kind == "partitions"}
        if len(partitions) < self.exprs[n].npartitions:
            return False
        status = self.client._core.status
        return partitions == {coming.place for coming in promised if coming.kind == "partitions" and status(coming.task) == "cancelled"}


def _call(function, args, needs, options=None):
    """Return a call of one task, as the engine takes it; placeholders in `args` count the needs."""
    return ([function.__name__], [_submit.function_bytes(function)], [0], [dumps_simple((args, {}))], [0, len(needs)], list(needs), [0], options or {})


def _together(described, finish, tasks, options=None):
    return _call(together, (described, finish, *map(Input, range(len(tasks)))), tasks, options)


def _nothing():
    return None


def _same(value):
    return value


def _publishes(function):
    return hasattr(function, "published")
