"""The receivers of methods: registered classes, their subclasses, and configured instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.registration.places import CLASS_MARK, place, plain
from dboshub.workflows.engine.registration.workflow import (
    Binding,
    NotRegisteredError,
    Workflow,
    binding_of,
    registered_of,
)


class Receivers:
    """Finds the receiver that a row names, and names that of a call.

    An instance goes by the nearest registered class that it derives from. A class goes by its own
    name: that of ``@DBOS.dbos_class()`` or, for a subclass without it, its qualified name.
    """

    def __init__(self) -> None:
        self.classes: dict[str, type] = {}
        self.instances: dict[tuple[str, str], Any] = {}

    def add_class(self, cls: type, name: str) -> None:
        """Register a class under a name. Raises DBOSException if another class has that name."""
        known = self.classes.get(name)
        if known is not None and known is not cls:
            raise DBOSException(
                f"Duplicate type registration for class {name!r}: {place(known)} and {place(cls)}. "
                "Give one of them another name: @DBOS.dbos_class(class_name=…)"
            )
        self.classes.pop(vars(cls).get(CLASS_MARK, name), None)
        self.classes[name] = cls
        setattr(cls, CLASS_MARK, name)
        for attribute in vars(cls).values():
            workflow = registered_of(plain(attribute))
            if workflow is not None:
                workflow.class_name = name
                workflow.binding = binding_of(attribute)

    def add_instance(self, instance: Any, config_name: str) -> None:
        """Register an instance of a class. Raises DBOSException if its name is in use."""
        class_name = getattr(type(instance), CLASS_MARK, type(instance).__qualname__)
        if (class_name, config_name) in self.instances:
            raise DBOSException(
                f"Duplicate instance registration for class {class_name!r} instance "
                f"{config_name!r}: give each its own config_name"
            )
        self.instances[class_name, config_name] = instance

    def clear(self) -> None:
        self.classes.clear()
        self.instances.clear()

    def check(self, receiver: Any) -> None:
        """Raise DBOSException if a row could not name this receiver."""
        if isinstance(receiver, type):
            self._check_class(receiver)
        else:
            self._check_instance(receiver)

    def named(self, workflow: Workflow, class_name: str | None, config_name: str | None) -> Any:
        """The receiver that a row names, or None. Raises NotRegisteredError."""
        owner = class_name or workflow.class_name or ""
        if workflow.binding is Binding.INSTANCE or (
            workflow.binding is Binding.FUNCTION and config_name is not None
        ):
            key = (owner, config_name or "")
            if key not in self.instances:
                raise NotRegisteredError(
                    f": create the instance {key[1]!r} of class {owner} before DBOS.launch()"
                )
            return self.instances[key]
        if workflow.binding is Binding.STATIC or not owner:
            return None
        cls = self._class_named(owner)
        if workflow.binding is Binding.FUNCTION:
            return cls if is_receiver(cls, workflow) else None
        if cls is None:
            raise NotRegisteredError(f": import the module that defines class {owner}")
        return cls

    def _check_class(self, cls: type) -> None:
        if not hasattr(cls, CLASS_MARK):
            raise _not_registered("class", cls)
        name = class_name_of(cls)
        found = self._class_named(name)
        if found is not cls and self.classes:
            raise DBOSException(
                f"class {place(cls)} has no name of its own: {name!r} is "
                f"{place(found) if found else 'more than one class'}. Decorate it with "
                "@DBOS.dbos_class(class_name=…)"
            )

    def _check_instance(self, instance: Any) -> None:
        name = getattr(type(instance), CLASS_MARK, None)
        if name is None:
            raise _not_registered("class instance", type(instance))
        config_name = getattr(instance, "config_name", None)
        if config_name is None:
            raise DBOSException(
                "Function target appears to be a class instance, but does not have `config_name` "
                f"set: derive {place(type(instance))} from DBOSConfiguredInstance"
            )
        known = self.instances.get((name, str(config_name)))
        if known is not instance and self.instances:
            reason = "no instance of this name is registered" if known is None else "this is a copy"
            raise DBOSException(
                f"a recovered workflow would not find the instance {config_name!r} of class "
                f"{name}: {reason}. Call the workflow on what DBOSConfiguredInstance.__init__ made"
            )

    def _class_named(self, name: str) -> type | None:
        if name in self.classes:
            return self.classes[name]
        found = [cls for cls in self._subclasses() if cls.__qualname__ == name]
        is_one = len({cls.__module__ for cls in found}) == 1
        return found[-1] if is_one else None

    def _subclasses(self) -> Iterator[type]:
        """The subclasses of registered classes that are not registered themselves."""
        waiting = [*self.classes.values()]
        while waiting:
            kinds: list[type] = type.__subclasses__(waiting.pop())
            for cls in kinds:
                if CLASS_MARK not in vars(cls):
                    waiting.append(cls)
                    yield cls


def class_name_of(receiver: Any) -> str:
    """The name by which a row names the class of a receiver that was checked."""
    if isinstance(receiver, type):
        return str(vars(receiver).get(CLASS_MARK, receiver.__qualname__))
    return str(getattr(type(receiver), CLASS_MARK))


def is_receiver(first: Any, workflow: Workflow) -> bool:
    """Whether Python passes this first argument of a function as the receiver of a method."""
    if workflow.is_bound:
        return True
    owner = first if isinstance(first, type) else type(first)
    name = getattr(workflow.function, "__name__", "")
    for holder in type.mro(owner):
        attribute = vars(holder).get(name)
        if registered_of(plain(attribute)) is workflow:
            expected = Binding.CLASS if isinstance(first, type) else Binding.INSTANCE
            return binding_of(attribute) is expected
    return False


def _not_registered(kind: str, cls: type) -> DBOSException:
    return DBOSException(
        f"Function target appears to be a {kind}, but is not properly registered: decorate "
        f"{place(cls)} with @DBOS.dbos_class()"
    )
