"""The files that the example workflows load: names, addresses and sizes as ComfyUI's own templates have them."""

from __future__ import annotations

from img2prompt.scripts.examples.sheet import Model

SD15 = Model("checkpoints", "Comfy-Org/stable-diffusion-v1-5-archive", "v1-5-pruned-emaonly-fp16.safetensors", "2.1 GB")
SDXL = Model("checkpoints", "stabilityai/stable-diffusion-xl-base-1.0", "sd_xl_base_1.0.safetensors", "6.5 GB")
ILLUSTRIOUS = Model(
    "checkpoints", "OnomaAIResearch/Illustrious-xl-early-release-v0", "Illustrious-XL-v0.1.safetensors", "6.5 GB"
)
SD35 = Model("checkpoints", "Comfy-Org/stable-diffusion-3.5-fp8", "sd3.5_large_fp8_scaled.safetensors", "14 GB")
FLUX1 = Model("diffusion_models", "Comfy-Org/flux1-dev", "flux1-dev.safetensors", "22 GB")
CLIP_L = Model("text_encoders", "comfyanonymous/flux_text_encoders", "clip_l.safetensors", "0.2 GB")
T5 = Model("text_encoders", "comfyanonymous/flux_text_encoders", "t5xxl_fp8_e4m3fn_scaled.safetensors", "4.8 GB")
FLUX1_VAE = Model("vae", "Comfy-Org/Lumina_Image_2.0_Repackaged", "split_files/vae/ae.safetensors", "0.3 GB")
"""Of Chroma and Z-Image, too."""
FLUX2 = Model(
    "diffusion_models", "Comfy-Org/flux2-dev", "split_files/diffusion_models/flux2_dev_fp8mixed.safetensors", "33 GB"
)
MISTRAL = Model(
    "text_encoders", "Comfy-Org/flux2-dev", "split_files/text_encoders/mistral_3_small_flux2_fp8.safetensors", "17 GB"
)
FLUX2_VAE = Model("vae", "Comfy-Org/flux2-dev", "split_files/vae/flux2-vae.safetensors", "0.3 GB")
CHROMA = Model(
    "diffusion_models",
    "Comfy-Org/Chroma1-HD_repackaged",
    "split_files/diffusion_models/Chroma1-HD-fp8mixed.safetensors",
    "8.6 GB",
)
QWEN_IMAGE = Model(
    "diffusion_models",
    "Comfy-Org/Qwen-Image_ComfyUI",
    "split_files/diffusion_models/qwen_image_fp8_e4m3fn.safetensors",
    "19 GB",
)
QWEN_VL = Model(
    "text_encoders",
    "Comfy-Org/Qwen-Image_ComfyUI",
    "split_files/text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors",
    "8.7 GB",
)
QWEN_VAE = Model("vae", "Comfy-Org/Qwen-Image_ComfyUI", "split_files/vae/qwen_image_vae.safetensors", "0.2 GB")
Z_IMAGE = Model(
    "diffusion_models",
    "Comfy-Org/z_image_turbo",
    "split_files/diffusion_models/z_image_turbo_bf16.safetensors",
    "11 GB",
)
QWEN3 = Model("text_encoders", "Comfy-Org/z_image_turbo", "split_files/text_encoders/qwen_3_4b.safetensors", "7.5 GB")
