import 'reflect-metadata';
import { type DependencyContainer, instanceCachingFactory, container as rootInjector } from 'tsyringe';

/**
 * The services of one runtime. Each runtime has a child container of its own: nothing is registered in tsyringe's
 * global one, so two runtimes in a process share nothing. What is registered is made when it is first asked for, and
 * once.
 *
 * The injector builds; it does not close. Closing is `compose`'s, in the reverse order of opening: tsyringe would
 * close everything at once.
 */
export class Injector {
  readonly #container: DependencyContainer = rootInjector.createChildContainer();

  value<T>(token: symbol, value: T): void {
    this.#container.register(token, { useValue: value });
  }

  factory<T>(token: symbol | (new (...parts: never[]) => T), make: (injector: Injector) => T): void {
    this.#container.register(token as symbol, { useFactory: instanceCachingFactory(() => make(this)) });
  }

  /** A class with `@inject` on its constructor's parameters. */
  service<T>(type: new (...parts: never[]) => T): void {
    this.#container.registerSingleton(type as new (...parts: unknown[]) => T);
  }

  get<T>(token: symbol | (new (...parts: never[]) => T)): T {
    return this.#container.resolve<T>(token as symbol);
  }
}
