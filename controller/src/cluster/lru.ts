/** So many values at most; the one that was asked for longest ago goes. What fails is not held. */
export class LRU<K, V extends Promise<unknown>> {
  readonly #size: number;
  readonly #values = new Map<K, V>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: K, make: () => V): V {
    const value = this.#values.get(key) ?? make();
    this.#values.delete(key);
    this.#values.set(key, value);
    value.catch(() => this.#values.delete(key));
    if (this.#values.size > this.#size) this.#values.delete(this.#values.keys().next().value!);
    return value;
  }
}
