/**
 * How published code synchronises, right and nearly right: look-back scans, grid barriers, locks, flags, named barriers,
 * tiles, ballots. Under several schedules the `bad_` kernels must be accused of a race and the `good_` ones of nothing.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, skipWithoutNvcc } from './nvcc-testing.ts';
import type { Finding } from './types.ts';

const SOURCE = `
#include <cooperative_groups.h>
#include <cuda/atomic>
namespace cg = cooperative_groups;
extern "C" {
// decoupled look-back
__global__ void good_lookback(const int* x, volatile int* flag, volatile int* val, int* y) {
  __shared__ int s[64]; __shared__ int prefix; int t=threadIdx.x,b=blockIdx.x; s[t]=x[b*64+t]; __syncthreads();
  for(int o=1;o<64;o<<=1){int v=t>=o?s[t-o]:0; __syncthreads(); s[t]+=v; __syncthreads();}
  if(t==0){ int p=0; if(b>0){ while(flag[b-1]==0){} __threadfence(); p=val[b-1]; } val[b]=p+s[63]; __threadfence(); flag[b]=1; prefix=p; }
  __syncthreads(); y[b*64+t]=s[t]+prefix; }
__global__ void good_gridbar(const int* x, int* count, int* tmp, int* y) {
  int t=threadIdx.x,b=blockIdx.x; tmp[b*64+t]=x[b*64+t]; __syncthreads();
  if(t==0){ __threadfence(); atomicAdd(count,1); while(atomicAdd(count,0)<gridDim.x){} __threadfence(); } __syncthreads();
  y[b*64+t]=tmp[((b+1)%gridDim.x)*64+t]; }
__global__ void good_lock(const int* x, int* lock, int* sum, int* y) {
  if(threadIdx.x==0){ while(atomicCAS(lock,0,1)!=0){} __threadfence(); sum[0]+=x[blockIdx.x]; sum[1]+=1; __threadfence(); atomicExch(lock,0);} }
__global__ void good_cudaatomic(const int* x, int* f, int* d, int* y) {
  cuda::atomic_ref<int, cuda::thread_scope_device> flag(*f);
  if(blockIdx.x==0){ d[threadIdx.x]=x[threadIdx.x]; __syncthreads(); if(threadIdx.x==0) flag.store(1,cuda::memory_order_release);}
  else { if(threadIdx.x==0) while(flag.load(cuda::memory_order_acquire)==0){} __syncthreads(); y[blockIdx.x*64+threadIdx.x]=d[threadIdx.x]; } }
__global__ void bad_cudarelaxed(const int* x, int* f, int* d, int* y) {
  cuda::atomic_ref<int, cuda::thread_scope_device> flag(*f);
  if(blockIdx.x==0){ d[threadIdx.x]=x[threadIdx.x]; __syncthreads(); if(threadIdx.x==0) flag.store(1,cuda::memory_order_relaxed);}
  else { if(threadIdx.x==0) while(flag.load(cuda::memory_order_relaxed)==0){} __syncthreads(); y[blockIdx.x*64+threadIdx.x]=d[threadIdx.x]; } }
__global__ void bad_nofence_bar(const int* x, int* count, int* tmp, int* y) {
  int t=threadIdx.x,b=blockIdx.x; tmp[b*64+t]=x[b*64+t]; __syncthreads();
  if(t==0){ atomicAdd(count,1); while(atomicAdd(count,0)<gridDim.x){} } __syncthreads();
  y[b*64+t]=tmp[((b+1)%gridDim.x)*64+t]; }
__global__ void good_named(const int* x, int* a, int* b, int* y) {
  __shared__ int s[2][32]; int t=threadIdx.x,l=t&31;
  for(int k=0;k<4;k++){ if(t<32){ if(k>=2) asm volatile("bar.sync %0,64;"::"r"(3+(k&1)):"memory"); s[k&1][l]=x[k*32+l]; asm volatile("bar.arrive %0,64;"::"r"(1+(k&1)):"memory");}
   else { asm volatile("bar.sync %0,64;"::"r"(1+(k&1)):"memory"); y[k*32+l]=s[k&1][31-l]; if(k<2) asm volatile("bar.arrive %0,64;"::"r"(3+(k&1)):"memory"); } } }
__global__ void bad_named(const int* x, int* a, int* b, int* y) {
  __shared__ int s[32]; int t=threadIdx.x,l=t&31;
  for(int k=0;k<4;k++){ if(t<32){ s[l]=x[k*32+l]; asm volatile("bar.arrive 1,64;":::"memory"); asm volatile("bar.sync 2,64;":::"memory");}
   else { asm volatile("bar.sync 1,64;":::"memory"); asm volatile("bar.arrive 2,64;":::"memory"); y[k*32+l]=s[31-l]; } } }
__global__ void good_tile8(const int* x, int* a, int* b, int* y) {
  __shared__ int s[64]; int t=threadIdx.x; auto g=cg::tiled_partition<8>(cg::this_thread_block()); s[t]=x[t]; g.sync(); y[t]=s[t^5]; g.sync(); s[t]=1; }
__global__ void bad_tile8(const int* x, int* a, int* b, int* y) {
  __shared__ int s[64]; int t=threadIdx.x; auto g=cg::tiled_partition<8>(cg::this_thread_block()); s[t]=x[t]; g.sync(); y[t]=s[t^9]; }
__global__ void good_coalesced(const int* x, int* a, int* b, int* y) {
  int t=threadIdx.x; if(x[t]&1){ auto g=cg::coalesced_threads(); int p; if(g.thread_rank()==0) p=atomicAdd(a,g.size()); p=g.shfl(p,0); y[p+g.thread_rank()]=t; } }
__global__ void good_warpagg(const int* x, int* a, int* b, int* y) {
  int t=threadIdx.x; unsigned m=__ballot_sync(~0u,x[t]&1); int lane=t&31; int base=0; if(lane==0) base=atomicAdd(a,__popc(m)); base=__shfl_sync(~0u,base,0); if(x[t]&1) y[base+__popc(m&((1u<<lane)-1))]=t; }
__global__ void good_lastblock_volatile(const int* x, unsigned* c, volatile int* part, int* y) {
  __shared__ bool last; __shared__ int s[64]; int t=threadIdx.x; s[t]=x[blockIdx.x*64+t]; __syncthreads();
  for(int h=32;h;h>>=1){ if(t<h) s[t]+=s[t+h]; __syncthreads(); }
  if(t==0){ part[blockIdx.x]=s[0]; __threadfence(); unsigned v=atomicInc(c,gridDim.x); last=v==gridDim.x-1; } __syncthreads();
  if(last){ if(t==0){ int q=0; for(int i=0;i<gridDim.x;i++) q+=part[i]; y[0]=q; *c=0; } } }
__global__ void good_bytes(const int* x, int* a, int* b, int* y) { unsigned char* p=(unsigned char*)y; p[blockIdx.x*64+threadIdx.x]=threadIdx.x; }
__global__ void good_syncwarp_exited(const int* x, int* a, int* b, int* y) { __shared__ int s[64]; int t=threadIdx.x; if((t&31)>=20) return; s[t]=x[t]; __syncwarp(); y[t]=s[(t&32)+(19-(t&31))]; }
__global__ void good_flag_in_block(const int* x, int* a, int* b, int* y) {
  __shared__ int d; __shared__ volatile int f; int t=threadIdx.x; if(t==0) f=0; __syncthreads();
  if(t==0){ d=x[5]; __threadfence_block(); f=1; } if(t==32){ while(f==0){} __threadfence_block(); y[0]=d; } }
__global__ void bad_flag_in_block(const int* x, int* a, int* b, int* y) {
  __shared__ int d; __shared__ volatile int f; int t=threadIdx.x; if(t==0) f=0; __syncthreads();
  if(t==0){ d=x[5]; f=1; } if(t==32){ while(f==0){} y[0]=d; } }
__global__ void good_max_by_cas(const int* x, int* a, int* b, int* y) { int v=x[blockIdx.x*64+threadIdx.x]; int o=*((volatile int*)a); while(v>o){ int q=atomicCAS(a,o,v); if(q==o) break; o=q; } }
__global__ void good_bcast(const int* x, int* a, int* b, int* y) { __shared__ int v; if(threadIdx.x==0) v=x[3]; __syncthreads(); int q=v; __syncthreads(); if(threadIdx.x==0) v=4; __syncthreads(); y[blockIdx.x*64+threadIdx.x]=q+v; }
__global__ void bad_bcast(const int* x, int* a, int* b, int* y) { __shared__ int v; for(int i=0;i<3;i++){ if(threadIdx.x==0) v=x[i]; __syncthreads(); y[blockIdx.x*64+threadIdx.x]=v; } }
__global__ void bad_blockfence(const int* x, int* f, int* d, int* y) {
  if(threadIdx.x) return; if(blockIdx.x==0){ d[0]=x[1]; __threadfence_block(); atomicExch(f,1);} else if(blockIdx.x==1){ while(atomicAdd(f,0)==0){} __threadfence(); y[0]=d[0]; } }
__global__ void bad_onefence(const int* x, int* count, int* tmp, int* y) {
  __shared__ bool last; int t=threadIdx.x,b=blockIdx.x; tmp[b*64+t]=x[b*64+t];
  if(t==0){ __threadfence(); last=atomicAdd(count,1)==gridDim.x-1; } __syncthreads();
  if(last) y[t]=tmp[t]+tmp[64+t]; }
}
`;

const SCHEDULES = [0, 1, 2];
/** Kernels for one block; the others get four. */
const ONE_BLOCK = /named|tile8|exited|in_block/;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE, ['-std=c++17']) : '';
const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });

function findings(kernel: string): Finding[] {
  return SCHEDULES.flatMap((schedule) => {
    gpu.reset();
    const module = gpu.load(ptx);
    const names = ['x', 'a', 'b', 'y'];
    const pointers = names.map((name) => {
      const pointer = gpu.allocate(4096, { name });
      gpu.write(pointer, bytesOf(Int32Array.from({ length: 1024 }, (_, i) => (name === 'x' ? i : 0))));
      return pointer;
    });
    const report = gpu.launch(module, kernel, {
      grid: [ONE_BLOCK.test(kernel) ? 1 : 4, 1, 1],
      block: [64, 1, 1],
      arguments: pointers.map(arg.pointer),
      races: true,
      schedule,
      instructionBudget: 3e6,
    });
    return [...report.findings];
  });
}

describe('idioms of synchronisation', { skip: skipWithoutNvcc() }, () => {
  const kernels = [...SOURCE.matchAll(/__global__ void (\w+)/g)].map(([, name]) => name!);
  for (const kernel of kernels) {
    it(kernel, () => {
      const found = findings(kernel);
      if (kernel.startsWith('good')) assert.deepEqual(found, []);
      else assert.ok(found.some(({ kind }) => kind === 'race' || kind === 'missing-syncwarp'));
    });
  }
});
